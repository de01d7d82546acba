package signalbox_test

// Receive waits: it wakes for messages, contexts and Close, and holds no OS thread unless it is
// asked to. What is so in both ways is tested in both.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

// waiting is a way to wait in Receive, and how the stack of a goroutine that waits so looks.
type waiting struct {
	name          string
	holdThread    bool
	state, inside string
}

var (
	parked  = waiting{"parked", false, "IO wait", "subscriberCore).receive("}
	holding = waiting{"holding", true, "syscall", "subscriberCore).sleepOnce("}
)

func inBothWays(t *testing.T, test func(t *testing.T, way waiting)) {
	for _, way := range []waiting{parked, holding} {
		t.Run(way.name, func(t *testing.T) { test(t, way) })
	}
}

// with is the options with this way to wait.
func (w waiting) with(o signalbox.SubscriberOptions) signalbox.SubscriberOptions {
	o.HoldThread = w.holdThread
	return o
}

func (w waiting) waitUntilBlocked(t testing.TB, count int) {
	t.Helper()
	eventually(t, fmt.Sprint(count, " goroutines are blocked in Receive: ", w.name), func() bool {
		return goroutinesIn(w.state, w.inside) == count
	})
}

// goroutinesIn counts the goroutines that are in this state and inside this function.
func goroutinesIn(state, function string) int {
	stacks := make([]byte, 8<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	count := 0
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		header, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(header, "["+state) && strings.Contains(stack, function) {
			count++
		}
	}
	return count
}

func threadCount(t testing.TB) int {
	t.Helper()
	status := must[[]byte](t)(os.ReadFile("/proc/self/status"))
	_, after, _ := strings.Cut(string(status), "\nThreads:")
	count := 0
	if _, err := fmt.Sscan(after, &count); err != nil {
		t.Fatal(err)
	}
	return count
}

func TestTwoHundredBlockedReceivesHoldNoThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	const waiters, atOnce, rounds = 200, 20, 5
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	ended := make(chan error, waiters)
	for started := 1; started <= waiters; started++ {
		subscriber := openSubscriber[Pose](t, topicOf(t),
			signalbox.SubscriberOptions{Start: signalbox.Next, Reliable: true})
		go func() { ended <- expectPoses(within(t), subscriber, rounds) }()
		// Go makes a thread for each goroutine that a busy machine keeps in C, and keeps the threads.
		if started%atOnce == 0 {
			parked.waitUntilBlocked(t, started)
		}
	}
	for seq := range uint64(rounds) {
		parked.waitUntilBlocked(t, waiters)
		if threads := threadCount(t); threads >= waiters {
			t.Errorf("%d goroutines wait on %d threads", waiters, threads)
		}
		sendPose(t, publisher, seq)
	}
	for range waiters {
		expectNil(t, <-ended)
	}
}

func expectPoses(ctx context.Context, subscriber *signalbox.Subscriber[Pose], count uint64) error {
	for seq := range count {
		sample, err := subscriber.Receive(ctx)
		if err != nil {
			return err
		}
		got := sample.Data().Seq
		sample.Release()
		if got != seq {
			return fmt.Errorf("received %d instead of %d", got, seq)
		}
	}
	return nil
}

func TestReceiveKeepsUpWithABusyPublisher(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		const count = 20_000
		publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{Reliable: true, Start: signalbox.Next}))
		received := make(chan error)
		go func() { received <- expectPoses(within(t), subscriber, count) }()
		for seq := range uint64(count) {
			loan := must[*signalbox.Loan[Pose]](t)(publisher.Loan(0))
			loan.Data().Seq = seq
			must[uint64](t)(publisher.PublishContext(within(t), loan))
			// Now and then the receiver finds nothing and parks, just as the next message comes.
			if seq%64 == 0 {
				runtime.Gosched()
			}
		}
		if err := <-received; err != nil {
			t.Fatal(err)
		}
	})
}

func TestAReceiveEndsWithItsContext(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{Start: signalbox.Next}))

		cancelled, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() {
			_, err := subscriber.Receive(cancelled)
			ended <- err
		}()
		way.waitUntilBlocked(t, 1)
		cancel()
		err := <-ended
		expectError(t, err, context.Canceled, topicOf(t))
		expectError(t, err, signalbox.ErrInterrupted)

		deadline, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		_, err = subscriber.Receive(deadline)
		expectError(t, err, context.DeadlineExceeded)
		expectError(t, err, signalbox.ErrTimedOut)

		why := errors.New("the robot was switched off")
		caused, cancelCause := context.WithCancelCause(context.Background())
		cancelCause(why)
		sendPose(t, publisher, 1)
		_, err = subscriber.Receive(caused) // an ended context comes before a message
		expectError(t, err, why, why.Error())
		expectError(t, err, context.Canceled)

		// None of this harmed the subscriber.
		sample := must[*signalbox.Sample[Pose]](t)(subscriber.Receive(within(t)))
		if sample.Data().Seq != 1 {
			t.Fatalf("received %d", sample.Data().Seq)
		}
		sample.Release()
	})
}

// A cancellation that comes just as the message does must neither lose the message nor cut short
// the next Receive.
func TestCancellationRacesWithMessages(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{Reliable: true, Start: signalbox.Next}))
		for seq := range uint64(500) {
			ctx, cancel := context.WithCancel(context.Background())
			var both sync.WaitGroup
			both.Add(2)
			go func() {
				defer both.Done()
				cancel()
			}()
			go func() {
				defer both.Done()
				publisher.Send(&Pose{Seq: seq}, nil)
			}()
			sample, err := subscriber.Receive(ctx)
			both.Wait()
			if err != nil {
				expectError(t, err, context.Canceled)
				sample = must[*signalbox.Sample[Pose]](t)(subscriber.Receive(within(t)))
			}
			if sample.Data().Seq != seq {
				t.Fatalf("received %d instead of %d", sample.Data().Seq, seq)
			}
			sample.Release()
		}
	})
}

func TestCloseEndsABlockedReceive(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		for range 20 {
			subscriber := openSubscriber[Pose](t, topicOf(t), way.with(signalbox.SubscriberOptions{}))
			ended := make(chan error)
			go func() {
				_, err := subscriber.Receive(context.Background())
				ended <- err
			}()
			way.waitUntilBlocked(t, 1)
			subscriber.Close()
			expectError(t, <-ended, signalbox.ErrClosed, topicOf(t))
		}
	})
}

func TestCloseMayComeAtAnyMoment(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
		for round := range uint64(100) {
			subscriber := openSubscriber[Pose](t, topicOf(t), way.with(signalbox.SubscriberOptions{}))
			ctx := within(t)
			ended := make(chan error)
			go func() {
				for {
					sample, err := subscriber.Receive(ctx)
					if err != nil {
						ended <- err
						return
					}
					sample.Release()
				}
			}()
			for seq := range round {
				sendPose(t, publisher, seq)
			}
			go subscriber.Close()
			expectError(t, <-ended, signalbox.ErrClosed)
			subscriber.Close()
		}
	})
}

func TestTheCountersComeThroughABlockedReceive(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		subscriber := openSubscriber[Pose](t, topicOf(t), way.with(signalbox.SubscriberOptions{}))
		ended := make(chan error)
		go func() {
			_, err := subscriber.Receive(context.Background())
			ended <- err
		}()
		way.waitUntilBlocked(t, 1)
		if subscriber.LostCount() != 0 || subscriber.PublisherCount() != 0 {
			t.Fatal("nothing was there to be counted")
		}
		_, err := subscriber.Receive(within(t))
		expectError(t, err, signalbox.ErrBadArgument, "another goroutine")
		subscriber.Close()
		expectError(t, <-ended, signalbox.ErrClosed)
	})
}

func TestAllReleasesWhatItHandsOut(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{Depth: 128})
	subscriber := openSubscriber[Frame](t, topicOf(t),
		signalbox.SubscriberOptions{Start: signalbox.Next})
	const count = 100 // more than a subscriber may hold
	for number := range uint64(count) {
		must[uint64](t)(publisher.Send(&Frame{Number: number}, nil))
	}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	next := uint64(0)
	var last *signalbox.Sample[Frame]
	var end error
	for sample, err := range subscriber.All(ctx) {
		if err != nil {
			end = err
			continue // the loop is over all the same
		}
		if sample.Data().Number != next {
			t.Fatalf("received %d instead of %d", sample.Data().Number, next)
		}
		last = sample
		if next++; next == count {
			cancel()
		}
	}
	expectError(t, end, context.Canceled)
	if next != count || last.Data() != nil {
		t.Fatalf("%d messages; the last one was released: %v", next, last.Data() == nil)
	}
	must[uint64](t)(publisher.Send(&Frame{Number: 1000}, nil))
	for range subscriber.All(within(t)) {
		break
	}
}

func TestAHandleWorksOnWhateverThread(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
		subscriber := openSubscriber[Pose](t, topicOf(t), way.with(signalbox.SubscriberOptions{}))
		for seq := range uint64(50) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
				publisher.Send(&Pose{Seq: seq}, nil)
			}()
			<-done
			sample := make(chan *signalbox.Sample[Pose])
			go func() {
				runtime.LockOSThread()
				taken, _ := subscriber.Receive(within(t))
				sample <- taken
			}()
			taken := <-sample
			if taken == nil || taken.Data().Seq != seq {
				t.Fatalf("message %d did not arrive", seq)
			}
			taken.Release()
		}
	})
}
