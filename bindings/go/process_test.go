package signalbox_test

// Between processes, and what a kill -9 leaves: nothing that the subscriber would have to handle.

import (
	"context"
	"fmt"
	"testing"

	"signalbox.dev/go/signalbox"
)

func TestMessagesCrossProcesses(t *testing.T) {
	subscriber := openSubscriber[Pose](t, topicOf(t),
		signalbox.SubscriberOptions{Reliable: true, Start: signalbox.Next})
	startRole(t, "publish poses", topicOf(t))
	if err := expectPoses(within(t), subscriber, 5000); err != nil {
		t.Fatal(err)
	}
	if subscriber.LostCount() != 0 || subscriber.PublisherCount() != 1 {
		t.Fatalf("lost %d, publishers %d", subscriber.LostCount(), subscriber.PublisherCount())
	}
}

func TestReceiveGoesOnWhenThePublisherIsKilled(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{Reliable: true, Start: signalbox.Next}))
		incarnations := map[uint64]bool{}
		for range 5 {
			publisher := startRole(t, "publish poses", topicOf(t))
			first := receivePose(t, subscriber)
			if first.seq != 0 || incarnations[first.publisher] {
				t.Fatalf("a new publisher began with %+v", first)
			}
			incarnations[first.publisher] = true
			last := first
			for last.seq < 100 {
				last = receiveNext(t, subscriber, last)
			}
			publisher.Process.Kill()
			publisher.Wait()
			// What it published is all there, whole and in order; then the subscriber sleeps.
			last = drain(t, subscriber, last)
			eventually(t, "the dead publisher is gone", func() bool {
				return subscriber.PublisherCount() == 0
			})
		}
		if subscriber.LostCount() != 0 {
			t.Fatalf("lost %d", subscriber.LostCount())
		}
	})
}

// A goroutine blocked in Receive wakes for a publisher that did not exist when it went to sleep.
func TestABlockedReceiveFindsTheNextPublisher(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{Reliable: true, Start: signalbox.Next}))
		killed := startRole(t, "publish poses", topicOf(t))
		last := receivePose(t, subscriber)
		killed.Process.Kill()
		killed.Wait()
		last = drain(t, subscriber, last)
		found := make(chan error)
		go func() {
			sample, err := subscriber.Receive(within(t))
			if err == nil && (sample.Data().Seq != 0 || sample.Publisher() == last.publisher) {
				err = fmt.Errorf("received %d of the old publisher", sample.Data().Seq)
			}
			found <- err
		}()
		way.waitUntilBlocked(t, 1)
		startRole(t, "publish poses", topicOf(t))
		if err := <-found; err != nil {
			t.Fatal(err)
		}
	})
}

// A publisher that is killed rings nobody: neither the counters nor Receive may wait for that.
func TestAPublisherMayBeKilledDuringABlockedReceive(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{Reliable: true, Start: signalbox.Oldest}))
		last := received{}
		for range 3 {
			publisher := startRole(t, "publish one pose", topicOf(t))
			next := receivePose(t, subscriber)
			if next.publisher == last.publisher {
				t.Fatalf("a new publisher began with %+v", next)
			}
			last = next
			ended := make(chan error)
			ctx, cancel := context.WithCancel(within(t))
			go func() {
				_, err := subscriber.Receive(ctx)
				ended <- err
			}()
			way.waitUntilBlocked(t, 1)
			if count := subscriber.PublisherCount(); count != 1 {
				t.Fatalf("%d publishers", count)
			}
			publisher.Process.Kill()
			publisher.Wait()
			eventually(t, "the dead publisher is gone", func() bool {
				return subscriber.PublisherCount() == 0
			})
			cancel()
			expectError(t, <-ended, context.Canceled)
		}
	})
}

type received struct{ seq, publisher uint64 }

func receivePose(t testing.TB, subscriber *signalbox.Subscriber[Pose]) received {
	t.Helper()
	sample := must[*signalbox.Sample[Pose]](t)(subscriber.Receive(within(t)))
	defer sample.Release()
	return received{sample.Data().Seq, sample.Publisher()}
}

func receiveNext(t testing.TB, subscriber *signalbox.Subscriber[Pose], last received) received {
	t.Helper()
	sample, err := subscriber.Receive(within(t))
	return checkNext(t, sample, err, last)
}

// drain takes what is left and answers the last of it.
func drain(t testing.TB, subscriber *signalbox.Subscriber[Pose], last received) received {
	t.Helper()
	for {
		sample, err := subscriber.Take()
		if sample == nil && err == nil {
			return last
		}
		last = checkNext(t, sample, err, last)
	}
}

func checkNext(t testing.TB, sample *signalbox.Sample[Pose], err error, last received) received {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer sample.Release()
	pose := *sample.Data()
	x := float64(pose.Seq)
	if pose.XYZ != [3]float64{x, 0, x} {
		t.Fatalf("torn: %+v", pose)
	}
	follows := pose.Seq == last.seq+1 && sample.Publisher() == last.publisher
	if !follows || sample.Position() != pose.Seq {
		t.Fatalf("after %+v came %+v of %d", last, pose, sample.Publisher())
	}
	return received{pose.Seq, sample.Publisher()}
}
