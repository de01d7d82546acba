package signalbox_test

// Messages are neither copied nor leaked: where they lie, and what is left when all is closed.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"signalbox.dev/go/signalbox"
)

// place is where an address lies: which file, how far into it, and what may be done there.
type place struct {
	inode  uint64
	offset uintptr
	rights string
}

func placeOf(t testing.TB, pointer unsafe.Pointer) place {
	t.Helper()
	address := uintptr(pointer)
	maps := must[*os.File](t)(os.Open("/proc/self/maps"))
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var start, end, offset uintptr
		var found place
		var device string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s %x %s %d",
			&start, &end, &found.rights, &offset, &device, &found.inode); err != nil {
			t.Fatal(lines.Text(), err)
		}
		if address >= start && address < end {
			found.offset = offset + address - start
			return found
		}
	}
	t.Fatalf("%#x is not mapped", address)
	return place{}
}

func TestALargeMessageIsReadWhereItWasWritten(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{TailBytesMax: 1 << 20})
	subscriber := openSubscriber[Frame](t, topicOf(t), signalbox.SubscriberOptions{Tail: true})
	loan := must[*signalbox.Loan[Frame]](t)(publisher.Loan(1 << 20))
	wroteData := placeOf(t, unsafe.Pointer(loan.Data()))
	wroteTail := placeOf(t, unsafe.Pointer(&loan.Tail()[0]))
	loan.Tail()[1<<20-1] = 42
	must[uint64](t)(publisher.Publish(loan))

	sample := must[*signalbox.Sample[Frame]](t)(subscriber.Take())
	defer sample.Release()
	readData := placeOf(t, unsafe.Pointer(sample.Data()))
	readTail := placeOf(t, unsafe.Pointer(&sample.Tail()[0]))
	for _, pair := range [][2]place{{wroteData, readData}, {wroteTail, readTail}} {
		wrote, read := pair[0], pair[1]
		if wrote.inode != read.inode || wrote.offset != read.offset {
			t.Errorf("written at %+v, read at %+v", wrote, read)
		}
		if wrote.rights != "rw-s" || read.rights != "r--s" {
			t.Errorf("mapped %s to write and %s to read", wrote.rights, read.rights)
		}
	}
	if &sample.Tail()[0] != &sample.Tail()[0] || uintptr(unsafe.Pointer(&sample.Tail()[0]))%64 != 0 {
		t.Error("the tail stays in one place, at the start of a cache line")
	}
	runtime.GC()
	if sample.Tail()[1<<20-1] != 42 || cap(sample.Tail()) != 1<<20 {
		t.Error("the tail is what was written, and no append may grow it in place")
	}
}

// ---- what the garbage collector gives back ------------------------------------------------------

// collected runs the garbage collector until the answer is yes. Pooled memory survives two rounds.
func collected(t testing.TB, what string, ask func() bool) {
	t.Helper()
	eventually(t, what, func() bool {
		runtime.GC()
		return ask()
	})
}

// writableMappings counts those of the topic's publishers' files that were opened by their name.
func writableMappings(t *testing.T, topic string) int {
	t.Helper()
	count := 0
	maps := string(must[[]byte](t)(os.ReadFile("/proc/self/maps")))
	for _, line := range strings.Split(maps, "\n") {
		if strings.Contains(line, strings.ReplaceAll(topic, "/", "+")+"/pub-") &&
			strings.Contains(line, "rw-s") {
			count++
		}
	}
	return count
}

func TestARingIsMappedWritableWhereItIsAskedFor(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	for expected, writable := range []bool{false, true} {
		subscriber := openSubscriber[Pose](t, topicOf(t),
			signalbox.SubscriberOptions{WritableRing: writable})
		if count := writableMappings(t, topicOf(t)); count != expected {
			t.Fatalf("%d mappings may be written where WritableRing is %v", count, writable)
		}
		sendPose(t, publisher, 7)
		sample := must[*signalbox.Sample[Pose]](t)(subscriber.Take())
		if sample == nil || sample.Data().Seq != 7 {
			t.Fatalf("%+v", sample)
		}
		sample.Release()
		subscriber.Close()
	}
}

func TestForgottenSamplesAreReleased(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{HeldMax: 80})
	subscriber := openSubscriber[Frame](t, topicOf(t), signalbox.SubscriberOptions{})
	forget := func() {
		for range 64 {
			must[uint64](t)(publisher.Send(&Frame{}, nil))
			must[*signalbox.Sample[Frame]](t)(subscriber.Take())
		}
	}
	forget()
	must[uint64](t)(publisher.Send(&Frame{Number: 64}, nil))
	collected(t, "a forgotten sample is released", func() bool {
		sample, err := subscriber.Take()
		if err == nil {
			sample.Release()
		} else if !errors.Is(err, signalbox.ErrLimitReached) {
			t.Fatal(err)
		}
		return err == nil
	})
}

func TestForgottenLoansAreDropped(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{})
	must[*signalbox.Loan[Frame]](t)(publisher.Loan(0))
	collected(t, "a forgotten loan is dropped", func() bool {
		loan, err := publisher.Loan(0)
		if err == nil {
			loan.Drop()
		} else if !errors.Is(err, signalbox.ErrLimitReached) {
			t.Fatal(err)
		}
		return err == nil
	})
}

func TestForgottenHandlesAreClosed(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
		subscriber := openSubscriber[Pose](t, topicOf(t), way.with(signalbox.SubscriberOptions{}))
		func() {
			forgotten := must[*signalbox.Publisher[Pose]](t)(
				signalbox.OpenPublisher[Pose](topicOf(t), signalbox.PublisherOptions{}))
			must[*signalbox.Loan[Pose]](t)(forgotten.Loan(0))
			waited := must[*signalbox.Subscriber[Pose]](t)(
				signalbox.OpenSubscriber[Pose](topicOf(t), way.with(signalbox.SubscriberOptions{})))
			ctx, cancel := context.WithCancel(context.Background())
			go cancel()
			_, err := waited.Receive(ctx)
			expectError(t, err, context.Canceled)
		}()
		if publisher.SubscriberCount() != 2 || subscriber.PublisherCount() != 2 {
			t.Fatal("both are there")
		}
		collected(t, "forgotten handles are closed", func() bool {
			return publisher.SubscriberCount() == 1 && subscriber.PublisherCount() == 1
		})
	})
}

// ---- what is left -------------------------------------------------------------------------------

// footprint is what the process holds of topics: descriptors, mappings, and files in the domain.
type footprint struct{ descriptors, mappings, files int }

func footprintNow(t testing.TB) footprint {
	t.Helper()
	var now footprint
	for _, fd := range must[[]os.DirEntry](t)(os.ReadDir("/proc/self/fd")) {
		// Go's poller and whatever the test tool opened come and go as they like.
		target, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if strings.HasPrefix(target, os.Getenv("SIGNALBOX_DIR")) ||
			strings.Contains(target, "pidfd") || strings.Contains(target, "eventpoll") {
			now.descriptors++
		}
	}
	maps := string(must[[]byte](t)(os.ReadFile("/proc/self/maps")))
	now.mappings = strings.Count(maps, "/dev/shm/")
	filepath.WalkDir(os.Getenv("SIGNALBOX_DIR"), func(path string, _ os.DirEntry, _ error) error {
		if strings.Contains(path, "pub-") || strings.Contains(path, "sub-") {
			now.files++
		}
		return nil
	})
	return now
}

func TestNothingIsLeftBehind(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		useOnce := func() {
			publisher := must[*signalbox.Publisher[Frame]](t)(signalbox.OpenPublisher[Frame](topicOf(t),
				signalbox.PublisherOptions{TailBytesMax: 100_000}))
			subscriber := must[*signalbox.Subscriber[Frame]](t)(signalbox.OpenSubscriber[Frame](topicOf(t),
				way.with(signalbox.SubscriberOptions{Tail: true, Start: signalbox.Next})))
			ctx, cancel := context.WithCancel(context.Background())
			go cancel()
			_, err := subscriber.Receive(ctx) // opens the descriptor
			expectError(t, err, context.Canceled)
			must[uint64](t)(publisher.Send(&Frame{}, make([]byte, 50_000)))
			held := must[*signalbox.Sample[Frame]](t)(subscriber.Receive(within(t)))
			subscriber.Close()
			publisher.Close()
			held.Release()
		}
		useOnce() // what is made once and stays, such as Go's poller
		collected(t, "what other tests forgot is gone", func() bool {
			before := footprintNow(t)
			runtime.GC()
			return before == footprintNow(t)
		})
		before := footprintNow(t)
		for range 50 {
			useOnce()
		}
		if after := footprintNow(t); after != before {
			t.Errorf("before %+v, after %+v", before, after)
		}
	})
}

// ---- what a message costs -----------------------------------------------------------------------

func TestAMessageCostsOneAllocation(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	subscriber := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{})
	pose := Pose{Seq: 1}
	allocations := testing.AllocsPerRun(1000, func() {
		publisher.Send(&pose, nil)
		sample, _ := subscriber.Take()
		sample.Release()
	})
	// The Sample itself. Under the race detector sync.Pool drops at random.
	if allocations > 1 && !raceDetector {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkSendTakeRelease(b *testing.B) {
	publisher := openPublisher[Pose](b, topicOf(b), signalbox.PublisherOptions{})
	subscriber := openSubscriber[Pose](b, topicOf(b), signalbox.SubscriberOptions{})
	pose := Pose{Seq: 1}
	for b.Loop() {
		publisher.Send(&pose, nil)
		sample, _ := subscriber.Take()
		sample.Release()
	}
}

func BenchmarkLoanPublishTakeRelease(b *testing.B) {
	publisher := openPublisher[Frame](b, topicOf(b), signalbox.PublisherOptions{TailBytesMax: 6 << 20})
	subscriber := openSubscriber[Frame](b, topicOf(b), signalbox.SubscriberOptions{Tail: true})
	for b.Loop() {
		loan, err := publisher.Loan(6 << 20)
		if err != nil {
			b.Fatal(err)
		}
		publisher.Publish(loan)
		sample, _ := subscriber.Take()
		sample.Release()
	}
}

func BenchmarkTakeNothing(b *testing.B) {
	subscriber := openSubscriber[Pose](b, topicOf(b), signalbox.SubscriberOptions{})
	for b.Loop() {
		subscriber.Take()
	}
}

func BenchmarkReceiveAcrossGoroutines(b *testing.B) {
	there := openPublisher[Pose](b, topicOf(b)+".there", signalbox.PublisherOptions{})
	back := openPublisher[Pose](b, topicOf(b)+".back", signalbox.PublisherOptions{})
	echo := openSubscriber[Pose](b, topicOf(b)+".there", signalbox.SubscriberOptions{})
	answers := openSubscriber[Pose](b, topicOf(b)+".back", signalbox.SubscriberOptions{})
	go func() {
		for sample, err := range echo.All(context.Background()) {
			if err != nil {
				return
			}
			back.Send(sample.Data(), nil)
		}
	}()
	for b.Loop() {
		there.Send(&Pose{}, nil)
		sample, err := answers.Receive(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		sample.Release()
	}
	echo.Close()
}
