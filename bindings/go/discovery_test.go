package signalbox_test

// Which topics there are and who is in them, and who comes, leaves and is killed. The others are
// processes of their own; whoever waits here is woken by what they do. Each test has a domain of
// its own, as others leave topics behind.

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

// alone gives the test, and the processes it starts, a place for topics of their own.
func alone(t *testing.T) string {
	t.Helper()
	dir := must[string](t)(os.MkdirTemp("/dev/shm", "signalbox-go-discovery-"))
	t.Setenv("SIGNALBOX_DIR", dir)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// roleLeaveWhenTold publishes once, and closes at a SIGTERM.
func roleLeaveWhenTold(topic string) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	publisher, err := signalbox.OpenPublisher[Pose](topic, signalbox.PublisherOptions{})
	if err != nil {
		return err
	}
	if _, err := publisher.Send(&Pose{}, nil); err != nil {
		return err
	}
	<-told
	return publisher.Close()
}

func end(t *testing.T, process *exec.Cmd, how os.Signal) {
	t.Helper()
	expectNil(t, process.Process.Signal(how))
	process.Wait()
}

func openWatcher(t *testing.T, topic string) *signalbox.TopicWatcher {
	t.Helper()
	watcher := must[*signalbox.TopicWatcher](t)(
		signalbox.OpenTopicWatcher(signalbox.TopicWatcherOptions{Topic: topic}))
	t.Cleanup(func() { watcher.Close() })
	return watcher
}

// expectEvent sleeps until the next event, which has to be this one.
func expectEvent(t *testing.T, watcher *signalbox.TopicWatcher, line string) signalbox.TopicEvent {
	t.Helper()
	event := must[signalbox.TopicEvent](t)(watcher.Receive(within(t)))
	if told := event.Kind.String() + " " + event.Topic; told != line {
		t.Fatalf("expected %q, was told %q", line, told)
	}
	return event
}

func expectQuiet(t *testing.T, watcher *signalbox.TopicWatcher) {
	t.Helper()
	event, isTaken, err := watcher.Take()
	expectNil(t, err)
	if isTaken {
		t.Fatalf("%+v", event)
	}
}

func listTopics(t *testing.T) []signalbox.TopicInfo {
	t.Helper()
	return must[[]signalbox.TopicInfo](t)(signalbox.ListTopics(""))
}

// ---- lists --------------------------------------------------------------------------------------

func TestAListTellsWhatThePagesSay(t *testing.T) {
	alone(t)
	if topics := listTopics(t); len(topics) != 0 {
		t.Fatalf("%+v", topics)
	}
	publisher := openPublisher[Frame](t, "a", signalbox.PublisherOptions{Depth: 4,
		TailBytesMax: 100, WhenBehind: signalbox.WhenBehindDropNew})
	reliable := openSubscriber[Frame](t, "a",
		signalbox.SubscriberOptions{Tail: true, Reliable: true})
	for number := range uint64(4) {
		must[uint64](t)(publisher.Send(&Frame{Number: number}, nil))
	}
	_, err := publisher.Send(&Frame{}, nil)
	expectError(t, err, signalbox.ErrWouldBlock)
	held := must[*signalbox.Sample[Frame]](t)(reliable.Take())
	defer held.Release()

	topics := listTopics(t)
	description := must[string](t)(signalbox.Describe[Frame](true))
	if len(topics) != 1 || topics[0].Name != "a" || topics[0].Err != nil ||
		!strings.HasSuffix(topics[0].TypeName, "Frame") ||
		topics[0].TypeDescription != description {
		t.Fatalf("%+v", topics)
	}
	ours := topics[0].Publishers[0]
	if ours.PID != os.Getpid() || ours.UID != os.Getuid() || !ours.IsAlive || ours.Err != nil ||
		!strings.HasPrefix(ours.Program, "signalbox.test") || ours.Incarnation != held.Publisher() {
		t.Fatalf("%+v", ours)
	}
	if ours.Depth != 4 || ours.TailBytesMax != 100 || ours.Published != 4 || ours.Dropped != 1 ||
		ours.Evicted != 0 {
		t.Fatalf("%+v", ours)
	}
	reader := topics[0].Subscribers[0]
	if reader.PID != os.Getpid() || !reader.IsReliable || reader.Held != 1 || reader.Lag != 3 {
		t.Fatalf("%+v", reader)
	}
}

func TestAListTellsWhoIsDead(t *testing.T) {
	alone(t)
	watcher := openWatcher(t, "")
	other := startRole(t, "publish one pose", "other")
	expectEvent(t, watcher, "topic_appeared other")
	expectEvent(t, watcher, "publisher_joined other")
	eventually(t, "it has published", func() bool {
		return listTopics(t)[0].Publishers[0].Published == 1
	})
	end(t, other, os.Kill)
	dead := listTopics(t)[0].Publishers[0]
	if dead.PID != other.Process.Pid || dead.IsAlive || dead.Published != 1 {
		t.Fatalf("%+v", dead)
	}
}

func TestAListTellsWhatIsDamaged(t *testing.T) {
	broken := filepath.Join(alone(t), "default", "broken")
	expectNil(t, os.MkdirAll(broken, 0o700))
	expectNil(t, os.WriteFile(filepath.Join(broken, "topic"), []byte("no topic at all"), 0o600))
	topics := listTopics(t)
	if len(topics) != 1 || topics[0].Name != "broken" || topics[0].TypeDescription != "" {
		t.Fatalf("%+v", topics)
	}
	expectError(t, topics[0].Err, signalbox.ErrDamaged, "broken")
}

func TestDiscoveryChecksNames(t *testing.T) {
	alone(t)
	for _, domain := range []string{"no/domain", "a\x00b"} {
		_, err := signalbox.ListTopics(domain)
		expectError(t, err, signalbox.ErrBadName)
		_, err = signalbox.OpenTopicWatcher(signalbox.TopicWatcherOptions{Domain: domain})
		expectError(t, err, signalbox.ErrBadName)
	}
	_, err := signalbox.OpenTopicWatcher(signalbox.TopicWatcherOptions{Topic: "a\x00b"})
	expectError(t, err, signalbox.ErrBadName)
}

// ---- watchers -----------------------------------------------------------------------------------

func TestAWatcherIsWokenByWhoComesLeavesAndIsKilled(t *testing.T) {
	alone(t)
	watcher, ofOne := openWatcher(t, ""), openWatcher(t, "alone")
	expectQuiet(t, watcher)
	other := startRole(t, "leave when told", "other")
	expectEvent(t, watcher, "topic_appeared other")
	joined := expectEvent(t, watcher, "publisher_joined other")
	if joined.PID != other.Process.Pid || joined.Incarnation == 0 {
		t.Fatalf("%+v", joined)
	}
	eventually(t, "it has published", func() bool {
		return listTopics(t)[0].Publishers[0].Published == 1
	})
	end(t, other, syscall.SIGTERM)
	left := expectEvent(t, watcher, "publisher_left other")
	if left.PID != joined.PID || left.Incarnation != joined.Incarnation {
		t.Fatalf("%+v after %+v", left, joined)
	}
	expectEvent(t, watcher, "topic_vanished other")

	subscriber := openSubscriber[Pose](t, "other", signalbox.SubscriberOptions{})
	expectEvent(t, watcher, "topic_appeared other")
	expectEvent(t, watcher, "subscriber_joined other")
	other = startRole(t, "publish one pose", "other")
	expectEvent(t, watcher, "publisher_joined other")
	end(t, other, os.Kill)
	if died := expectEvent(t, watcher, "publisher_died other"); died.PID != other.Process.Pid {
		t.Fatalf("%+v", died)
	}
	subscriber.Close()
	expectEvent(t, watcher, "subscriber_left other")
	expectEvent(t, watcher, "topic_vanished other")
	expectQuiet(t, ofOne)
	openPublisher[Pose](t, "alone", signalbox.PublisherOptions{})
	expectEvent(t, ofOne, "topic_appeared alone")
	expectEvent(t, ofOne, "publisher_joined alone")
}

func TestALoopOverAWatcherEndsWithItsContext(t *testing.T) {
	alone(t)
	openPublisher[Pose](t, "p", signalbox.PublisherOptions{})
	watcher := openWatcher(t, "p")
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	var kinds []signalbox.TopicEventKind
	for event, err := range watcher.All(ctx) {
		if err != nil {
			expectError(t, err, context.Canceled, "receive from topic watcher of topic \"p\"")
			break
		}
		if kinds = append(kinds, event.Kind); event.Kind == signalbox.PublisherJoined {
			cancel()
		}
	}
	if len(kinds) != 2 || kinds[0] != signalbox.TopicAppeared {
		t.Fatalf("%v", kinds)
	}
	late, cancelLate := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelLate()
	_, err := watcher.Receive(late)
	expectError(t, err, signalbox.ErrTimedOut)
}

// untilParked waits until a goroutine sleeps in Go's poller inside Receive.
func untilParked(t *testing.T) {
	t.Helper()
	eventually(t, "somebody is parked in Receive", func() bool {
		return goroutinesIn("IO wait", "(*TopicWatcher).Receive(") == 1
	})
}

func TestAParkedWatcherIsWokenCancelledAndClosed(t *testing.T) {
	alone(t)
	watcher := openWatcher(t, "p")
	ended := make(chan error)
	receive := func(ctx context.Context) {
		_, err := watcher.Receive(ctx)
		ended <- err
	}
	go receive(within(t))
	untilParked(t)
	_, err := watcher.Receive(within(t))
	expectError(t, err, signalbox.ErrBadArgument, "another goroutine")
	openPublisher[Pose](t, "p", signalbox.PublisherOptions{})
	expectNil(t, <-ended)
	expectEvent(t, watcher, "publisher_joined p")

	ctx, cancel := context.WithCancel(within(t))
	go receive(ctx)
	untilParked(t)
	cancel()
	expectError(t, <-ended, context.Canceled)

	go receive(within(t))
	untilParked(t)
	watcher.Close()
	expectError(t, <-ended, signalbox.ErrClosed, "topic watcher of topic \"p\"")
	_, _, err = watcher.Take()
	expectError(t, err, signalbox.ErrClosed)
	if watcher.Fd() != ^uintptr(0) {
		t.Fatal("a closed watcher has a descriptor")
	}
	expectNil(t, watcher.Close())
}

func TestAWaitSetWatchesAWatchersDescriptor(t *testing.T) {
	alone(t)
	watcher, set := openWatcher(t, "p"), newWaitSet(t)
	watch := must[*signalbox.Watch](t)(
		set.WatchDescriptor(watcher.Fd(), signalbox.Readable, 7, 0))
	defer watch.End()
	openPublisher[Pose](t, "p", signalbox.PublisherOptions{})
	expectReady(t, set, 7, signalbox.Readable)
	expectEvent(t, watcher, "topic_appeared p")
}

// leaveForgottenWatcher is a function of its own so that nothing in the caller's frame reaches it.
func leaveForgottenWatcher(t *testing.T) {
	t.Helper()
	must[*signalbox.TopicWatcher](t)(
		signalbox.OpenTopicWatcher(signalbox.TopicWatcherOptions{}))
}

func TestAForgottenWatcherGivesItsDescriptorsBack(t *testing.T) {
	alone(t)
	leaveForgottenWatcher(t) // the first brings Go's poller, which stays
	collected(t, "what other tests forgot is gone", func() bool {
		before := descriptorCount(t)
		runtime.GC()
		return descriptorCount(t) == before
	})
	before := descriptorCount(t)
	leaveForgottenWatcher(t)
	if descriptorCount(t) <= before {
		t.Fatal("a watcher has descriptors")
	}
	collected(t, "the forgotten watcher's descriptors are closed", func() bool {
		return descriptorCount(t) <= before
	})
}
