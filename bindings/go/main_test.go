package signalbox_test

// The tests run against the real library in a domain of their own under /dev/shm, which is removed
// at the end. Other processes are this same program, started again with a role.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

// Pose fits into a slot and travels as a copy.
type Pose struct {
	Seq uint64
	XYZ [3]float64
}

// Frame does not, and with its tail lies in the publisher's memory.
type Frame struct {
	Number uint64
	Width  uint32
	Height uint32
	Label  [480]byte `sbx:",char"`
}

const watchdog = 60 * time.Second

func TestMain(m *testing.M) {
	if role := os.Getenv("SIGNALBOX_GO_TEST_ROLE"); role != "" {
		os.Exit(runRole(role))
	}
	dir, err := os.MkdirTemp("/dev/shm", "signalbox-go-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("SIGNALBOX_DIR", dir)
	os.Unsetenv("SIGNALBOX_DOMAIN")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// topicOf is a topic that no other test uses.
func topicOf(t testing.TB) string {
	return "go/" + strings.NewReplacer("/", ".", "#", ".", " ", "_").Replace(t.Name())
}

// within ends a test that hangs; it is no limit on speed.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	t.Cleanup(cancel)
	return ctx
}

// eventually asks until the answer is yes.
func eventually(t testing.TB, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(watchdog)
	for !ask() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("it never came true that %s", what)
		}
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func openPublisher[T any](t testing.TB, topic string,
	o signalbox.PublisherOptions) *signalbox.Publisher[T] {
	t.Helper()
	publisher, err := signalbox.OpenPublisher[T](topic, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { publisher.Close() })
	return publisher
}

func openSubscriber[T any](t testing.TB, topic string,
	o signalbox.SubscriberOptions) *signalbox.Subscriber[T] {
	t.Helper()
	subscriber, err := signalbox.OpenSubscriber[T](topic, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { subscriber.Close() })
	return subscriber
}

func sendPose(t testing.TB, publisher *signalbox.Publisher[Pose], seq uint64) uint64 {
	t.Helper()
	return must[uint64](t)(publisher.Send(&Pose{Seq: seq}, nil))
}

func expectError(t testing.TB, err error, expected error, words ...string) {
	t.Helper()
	if !errors.Is(err, expected) {
		t.Fatalf("expected %v, got %v", expected, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Fatalf("the text should mention %q: %v", word, err)
		}
	}
}

// ---- other processes ----------------------------------------------------------------------------

func runRole(role string) int {
	go func() { // the parent is gone: so are we
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	roles := map[string]func(topic string) error{
		"die inside":       roleDieInside,
		"hold file":        roleHoldFile,
		"hold to read":     roleHoldToRead,
		"hold to write":    roleHoldToWrite,
		"meet":             roleMeet,
		"notify":           roleNotify,
		"hold mutex":       roleHoldMutex,
		"hold units":       roleHoldUnits,
		"leave when told":  roleLeaveWhenTold,
		"publish one pose": rolePublishOnePose,
		"publish poses":    rolePublishPoses,
		"relay batches":    roleRelayBatches,
		"tell eviction":    roleTellEviction,
	}
	if err := roles[role](os.Getenv("SIGNALBOX_GO_TEST_TOPIC")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// rolePublishPoses counts upwards as fast as a reliable subscriber takes.
func rolePublishPoses(topic string) error {
	publisher, err := signalbox.OpenPublisher[Pose](topic, signalbox.PublisherOptions{})
	if err != nil {
		return err
	}
	for seq := uint64(0); ; seq++ {
		loan, err := publisher.Loan(0)
		if err != nil {
			return err
		}
		*loan.Data() = Pose{Seq: seq, XYZ: [3]float64{float64(seq), 0, float64(seq)}}
		if _, err := publisher.PublishContext(context.Background(), loan); err != nil {
			return err
		}
	}
}

// rolePublishOnePose stays there.
func rolePublishOnePose(topic string) error {
	publisher, err := signalbox.OpenPublisher[Pose](topic, signalbox.PublisherOptions{})
	if err != nil {
		return err
	}
	if _, err := publisher.Send(&Pose{}, nil); err != nil {
		return err
	}
	select {}
}

func startRole(t testing.TB, role, topic string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SIGNALBOX_GO_TEST_ROLE="+role, "SIGNALBOX_GO_TEST_TOPIC="+topic)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}
