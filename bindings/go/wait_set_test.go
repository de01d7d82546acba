package signalbox_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

func newWaitSet(t *testing.T) *signalbox.WaitSet {
	t.Helper()
	set := must[*signalbox.WaitSet](t)(signalbox.NewWaitSet(4))
	t.Cleanup(func() { set.Close() })
	return set
}

func expectReady(t *testing.T, set *signalbox.WaitSet, key uint64, events signalbox.Events) {
	t.Helper()
	ready := must[[]signalbox.Ready](t)(set.Wait(within(t)))
	if len(ready) != 1 || ready[0].Key != key || ready[0].Events != events {
		t.Fatalf("%+v", ready)
	}
}

func TestWaitSetReportsTopicsAndDescriptors(t *testing.T) {
	set := newWaitSet(t)
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	poses := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{})
	must[*signalbox.Watch](t)(set.Watch(poses, 1, 0))
	_, err := set.Watch(poses, 1, 0)
	expectError(t, err, signalbox.ErrAlreadyExists)
	sendPose(t, publisher, 7)
	expectReady(t, set, 1, signalbox.Readable)

	read, write, err := os.Pipe()
	expectNil(t, err)
	defer read.Close()
	watch := must[*signalbox.Watch](t)(
		set.WatchDescriptor(read.Fd(), signalbox.Readable, 2, 0))
	must[int](t)(write.WriteString("x"))
	if ready := must[[]signalbox.Ready](t)(set.Wait(within(t))); len(ready) != 2 {
		t.Fatalf("%+v", ready)
	}
	must[*signalbox.Sample[Pose]](t)(poses.Take()).Release()
	expectReady(t, set, 2, signalbox.Readable)
	watch.End()
	watch.End()
	sendPose(t, publisher, 8)
	for one, err := range set.All(within(t)) {
		expectNil(t, err)
		if one.Key != 1 {
			t.Fatalf("%+v", one)
		}
		break
	}
	write.Close()

	poses.Close()
	_, err = set.Watch(poses, 1, 0)
	expectError(t, err, signalbox.ErrClosed)
}

func TestWaitSetTellsWhoIsQuiet(t *testing.T) {
	set := newWaitSet(t)
	poses := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{})
	must[*signalbox.Watch](t)(set.Watch(poses, 3, time.Millisecond))
	expectReady(t, set, 3, signalbox.DeadlineMissed)
}

func TestWaitSetRefusesWhatItCannotBe(t *testing.T) {
	for _, watchesMax := range []int{0, -1, 65537, 1<<32 + 2} {
		_, err := signalbox.NewWaitSet(watchesMax)
		expectError(t, err, signalbox.ErrBadArgument,
			fmt.Sprintf("watchesMax is %d. Use a number from 1 to 65536", watchesMax))
	}
	_, err := newWaitSet(t).Watch(nil, 0, 0)
	expectError(t, err, signalbox.ErrBadArgument, "cannot watch nil")
}

func TestWhoHasToWaitForAWaitSetKeepsNoSubscriber(t *testing.T) {
	set := newWaitSet(t)
	poses := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{})
	ended := make(chan error, 2)
	go func() {
		_, err := set.Wait(within(t))
		ended <- err
	}()
	eventually(t, "somebody sleeps in Wait", func() bool {
		return goroutinesIn("syscall", "(*WaitSet).Wait(") == 1
	})
	go func() {
		_, err := set.Watch(poses, 1, 0)
		ended <- err
	}()
	eventually(t, "Watch waits for that", func() bool {
		return goroutinesIn("sync.Mutex.Lock", "(*WaitSet).Watch(") == 1
	})
	taken := make(chan error)
	go func() {
		_, err := poses.Take()
		taken <- err
	}()
	select {
	case err := <-taken:
		expectNil(t, err)
	case <-time.After(watchdog / 2):
		t.Error("Take waits for the Wait of a set")
		set.Wake()
		<-taken
	}
	set.Wake()
	for range 2 {
		expectNil(t, <-ended)
	}
}

func TestWaitOfAWaitSetEnds(t *testing.T) {
	set := newWaitSet(t)
	late, cancelLate := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelLate()
	_, err := set.Wait(late)
	expectError(t, err, signalbox.ErrTimedOut)

	set.Wake()
	if ready := must[[]signalbox.Ready](t)(set.Wait(within(t))); len(ready) != 0 {
		t.Fatalf("%+v", ready)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := set.Wait(ctx)
		ended <- err
	}()
	cancel()
	expectError(t, <-ended, context.Canceled)
	go func() {
		for {
			if _, err := set.Wait(context.Background()); err != nil {
				ended <- err
				return
			}
		}
	}()
	set.Close()
	expectError(t, <-ended, signalbox.ErrClosed)
	expectNil(t, set.Close())
}

// descriptorCount is how many descriptors this process has open, one of which lists them.
func descriptorCount(t *testing.T) int {
	t.Helper()
	return len(must[[]os.DirEntry](t)(os.ReadDir("/proc/self/fd")))
}

// leaveForgottenWaitSet is a function of its own so that nothing in the caller's frame reaches it.
func leaveForgottenWaitSet(t *testing.T, source *os.File) {
	t.Helper()
	set := must[*signalbox.WaitSet](t)(signalbox.NewWaitSet(4))
	must[*signalbox.Watch](t)(set.WatchDescriptor(source.Fd(), signalbox.Readable, 1, 0))
}

func TestAForgottenWaitSetGivesItsDescriptorsBack(t *testing.T) {
	read, write, err := os.Pipe()
	expectNil(t, err)
	defer read.Close()
	defer write.Close()
	collected(t, "what other tests forgot is gone", func() bool {
		before := descriptorCount(t)
		runtime.GC()
		return descriptorCount(t) == before
	})
	before := descriptorCount(t)
	leaveForgottenWaitSet(t, read)
	if descriptorCount(t) <= before {
		t.Fatal("a wait set has descriptors")
	}
	collected(t, "the forgotten set's descriptors are closed", func() bool {
		return descriptorCount(t) <= before
	})
}
