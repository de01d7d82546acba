package signalbox_test

// A Receive that holds a thread sleeps in C with the subscriber's mutex: whoever else wants
// something of the subscriber gets it at once, and the sleep goes on. What does not differ from a
// parked Receive is tested beside that, by inBothWays.

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

func TestReceivesThatHoldThreadsHoldNoPlaceInTheScheduler(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const waiters, rounds = 20, 5
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	ended := make(chan error, waiters)
	for range waiters {
		subscriber := openSubscriber[Pose](t, topicOf(t), holding.with(
			signalbox.SubscriberOptions{Start: signalbox.Next, Reliable: true}))
		go func() { ended <- expectPoses(within(t), subscriber, rounds) }()
	}
	for seq := range uint64(rounds) {
		holding.waitUntilBlocked(t, waiters)
		if threads := threadCount(t); threads < waiters {
			t.Errorf("%d goroutines sleep on %d threads", waiters, threads)
		}
		runtime.GC()
		sendPose(t, publisher, seq)
	}
	for range waiters {
		expectNil(t, <-ended)
	}
}

// visit does all that others may do during a Receive, and answers what it took.
func visit(subscriber *signalbox.Subscriber[Pose]) (taken int, err error) {
	batch := make([]Pose, 3)
	taken, err = subscriber.TakeBatch(batch)
	if err != nil {
		return taken, err
	}
	sample, err := subscriber.Take()
	if sample != nil {
		taken++
		sample.Release()
	}
	if subscriber.LostCount() != 0 || subscriber.SkippedCount() != 0 {
		err = errors.Join(err, errors.New("a reliable subscriber lost something"))
	}
	if subscriber.PublisherCount() != 1 {
		err = errors.Join(err, errors.New("the publisher is not seen"))
	}
	return taken, err
}

func TestOthersComeThroughABlockedReceiveAndNothingIsLost(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		const visitors, visits, messages = 3, 200, 300
		publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{Start: signalbox.Next, Reliable: true}))
		var taken atomic.Int64
		received := make(chan error)
		go func() {
			for {
				sample, err := subscriber.Receive(context.Background())
				if err != nil {
					received <- err
					return
				}
				sample.Release()
				taken.Add(1)
			}
		}()
		var done sync.WaitGroup
		for range visitors {
			done.Add(1)
			go func() {
				defer done.Done()
				for range visits {
					count, err := visit(subscriber)
					if err != nil {
						t.Error(err)
					}
					taken.Add(int64(count))
				}
			}()
		}
		for range messages {
			loan := must[*signalbox.Loan[Pose]](t)(publisher.Loan(0))
			must[uint64](t)(publisher.PublishContext(within(t), loan))
		}
		done.Wait()
		eventually(t, "each message is taken once", func() bool { return taken.Load() == messages })
		way.waitUntilBlocked(t, 1)
		subscriber.Close()
		expectError(t, <-received, signalbox.ErrClosed)
		if taken.Load() != messages {
			t.Errorf("%d messages were taken", taken.Load())
		}
	})
}

func TestReceiveLooksAgainAndAgainAndThenWaits(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{Start: signalbox.Next, SpinMax: time.Millisecond}))
		ended := make(chan error)
		go func() { ended <- expectPoses(within(t), subscriber, 2) }()
		for seq := range uint64(2) {
			way.waitUntilBlocked(t, 1)
			sendPose(t, publisher, seq)
		}
		expectNil(t, <-ended)
	})
}

// receiveAround receives before, during and after a watch, which begins during a Receive.
func receiveAround(t *testing.T, set *signalbox.WaitSet, way waiting) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	subscriber := openSubscriber[Pose](t, topicOf(t),
		way.with(signalbox.SubscriberOptions{Start: signalbox.Next}))
	ended := make(chan error)
	receive := func(count uint64) { ended <- expectPoses(within(t), subscriber, count) }

	go receive(1)
	way.waitUntilBlocked(t, 1)
	watch := must[*signalbox.Watch](t)(set.Watch(subscriber, 5, 0))
	sendPose(t, publisher, 0)
	expectNil(t, <-ended)

	sendPose(t, publisher, 0)
	expectReady(t, set, 5, signalbox.Readable)
	go receive(2)
	way.waitUntilBlocked(t, 1)
	sendPose(t, publisher, 1)
	expectNil(t, <-ended)

	late, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := set.Wait(late)
	expectError(t, err, signalbox.ErrTimedOut)
	watch.End()
	go receive(1)
	way.waitUntilBlocked(t, 1)
	sendPose(t, publisher, 0)
	expectNil(t, <-ended)
}

func TestASubscriberOfAWaitSetStillReceives(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) { receiveAround(t, newWaitSet(t), way) })
}

// With a descriptor in it a set sleeps in another way, and gives the subscriber a descriptor too.
func TestASubscriberOfAWaitSetWithDescriptorsStillReceives(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		set := newWaitSet(t)
		read, write, err := os.Pipe()
		expectNil(t, err)
		defer read.Close()
		defer write.Close()
		must[*signalbox.Watch](t)(set.WatchDescriptor(read.Fd(), signalbox.Readable, 6, 0))
		receiveAround(t, set, way)
	})
}
