package signalbox_test

// A file that another process shortens is an error, and Go keeps its own SIGBUS.

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"signalbox.dev/go/signalbox"
)

func shorten(t *testing.T, topic string) string {
	t.Helper()
	folder := strings.ReplaceAll(topic, "/", "+")
	found, err := filepath.Glob(filepath.Join(os.Getenv("SIGNALBOX_DIR"), "default", folder, "pub-*"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if err := os.Truncate(found[0], 0); err != nil {
		t.Fatal(err)
	}
	return found[0]
}

func TestAShortenedFileIsAnError(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{TailBytesMax: 1 << 20})
	subscriber := openSubscriber[Frame](t, topicOf(t), signalbox.SubscriberOptions{Tail: true})
	loan := must[*signalbox.Loan[Frame]](t)(publisher.Loan(1 << 20))
	loan.Tail()[1<<19] = 42
	must[uint64](t)(publisher.Publish(loan))
	sample := must[*signalbox.Sample[Frame]](t)(subscriber.Take())
	lent := must[*signalbox.Loan[Frame]](t)(publisher.Loan(1 << 20))

	file := shorten(t, topicOf(t))
	// Goroutines touch what is lost.
	if sample.Tail()[1<<19] != 0 {
		t.Error("what is lost does not read as zero")
	}
	sample.Release()
	lent.Data().Number = 7
	lent.Tail()[1<<19] = 43

	_, err := subscriber.Take()
	expectDamaged(t, err, file)
	_, err = publisher.Publish(lent)
	expectDamaged(t, err, file)
	_, err = publisher.Loan(0)
	expectDamaged(t, err, file)
}

func expectDamaged(t *testing.T, err error, file string) {
	t.Helper()
	if !errors.Is(err, signalbox.ErrDamaged) || !strings.Contains(err.Error(), file) {
		t.Errorf("not told that %s is damaged: %v", file, err)
	}
}

func TestGoKeepsItsOwnSIGBUS(t *testing.T) {
	openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	file := must[*os.File](t)(os.CreateTemp("/dev/shm", "signalbox-go-foreign-"))
	defer os.Remove(file.Name())
	defer file.Close()
	if err := file.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	foreign := must[[]byte](t)(
		syscall.Mmap(int(file.Fd()), 0, 4096, syscall.PROT_READ, syscall.MAP_SHARED))
	defer syscall.Munmap(foreign)
	if err := file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() == nil {
			t.Error("the fault did not become Go's panic")
		}
	}()
	t.Log(foreign[0])
}
