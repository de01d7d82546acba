package signalbox_test

// Message queues of the kernel, of both kinds; private, or named after this process.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

func newSysvQueue(t *testing.T) *signalbox.SysvQueue {
	t.Helper()
	queue := must[*signalbox.SysvQueue](t)(
		signalbox.CreateSysvQueue(signalbox.PrivateKey, 0))
	t.Cleanup(func() {
		if err := queue.Remove(); err != nil && !errors.Is(err, signalbox.ErrRemoved) {
			t.Error(err)
		}
		queue.Close()
	})
	return queue
}

func expectMessage(t *testing.T, queue *signalbox.SysvQueue, filter signalbox.MessageFilter,
	messageType int64, data string) {
	t.Helper()
	message := must[signalbox.SysvMessage](t)(queue.Receive(within(t), make([]byte, 16), filter))
	if message.Type != messageType || string(message.Data) != data {
		t.Fatalf("%d %q", message.Type, message.Data)
	}
}

func TestSysvMessagesComeByType(t *testing.T) {
	queue := newSysvQueue(t)
	same := must[*signalbox.SysvQueue](t)(signalbox.AttachSysvQueue(queue.ID()))
	for i, data := range []string{"three", "one", "two", ""} {
		expectNil(t, same.Send(within(t), []int64{3, 1, 2, 3}[i], []byte(data)))
	}
	_, err := queue.Receive(within(t), make([]byte, 2), signalbox.OnlyType(1))
	expectError(t, err, signalbox.ErrTooLarge)
	expectMessage(t, queue, signalbox.UpToType(2), 1, "one")
	expectMessage(t, queue, signalbox.AllButType(3), 2, "two")
	expectMessage(t, queue, signalbox.OnlyType(3), 3, "three")
	expectMessage(t, queue, signalbox.AnyMessage(), 3, "")
	_, found, err := queue.TryReceive(nil, signalbox.AnyMessage())
	if expectNil(t, err); found {
		t.Fatal("there is none")
	}
	_, err = queue.Receive(within(t), nil, signalbox.OnlyType(0))
	expectError(t, err, signalbox.ErrBadArgument)
	expectError(t, queue.Send(within(t), 0, nil), signalbox.ErrBadArgument)
	same.Close()
	expectError(t, same.Send(within(t), 1, nil), signalbox.ErrClosed)
}

func TestAnIDTooWideForASysvQueueIsNotCutShort(t *testing.T) {
	queue := newSysvQueue(t)
	_, err := signalbox.AttachSysvQueue(tooWide(queue.ID()))
	expectError(t, err, signalbox.ErrNotFound)
	_, err = signalbox.AttachSysvQueue(queue.ID() - tooWide(0))
	expectError(t, err, signalbox.ErrNotFound)
}

func TestFactsOfASysvQueue(t *testing.T) {
	queue := newSysvQueue(t)
	expectNil(t, queue.SetCapacity(100))
	expectNil(t, queue.Send(within(t), 1, []byte("four")))
	facts := must[signalbox.SysvQueueFacts](t)(queue.Facts())
	if facts.Messages != 1 || facts.Bytes != 4 || facts.BytesMax != 100 ||
		facts.LastSender != os.Getpid() || facts.LastReceiver != 0 || facts.LastSend == 0 ||
		facts.LastReceive != 0 || facts.Access.Mode != 0o600 {
		t.Fatalf("%+v", facts)
	}
	expectMessage(t, queue, signalbox.AnyMessage(), 1, "four")
	facts = must[signalbox.SysvQueueFacts](t)(queue.Facts())
	if facts.Messages != 0 || facts.LastReceiver != os.Getpid() || facts.LastReceive == 0 {
		t.Fatalf("%+v", facts)
	}
	expectNil(t, queue.Remove())
	_, err := queue.Facts()
	expectError(t, err, signalbox.ErrRemoved)
}

func TestWaitsForASysvQueueEnd(t *testing.T) {
	queue := newSysvQueue(t)
	late, cancelLate := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelLate()
	_, err := queue.Receive(late, nil, signalbox.AnyMessage())
	expectError(t, err, signalbox.ErrTimedOut, "System V queue")

	expectNil(t, queue.SetCapacity(8))
	if !must[bool](t)(queue.TrySend(1, []byte("12345678"))) ||
		must[bool](t)(queue.TrySend(1, []byte("9"))) {
		t.Fatal("there is room for 8 bytes")
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- queue.Send(ctx, 2, []byte("9")) }()
	cancel()
	expectError(t, <-ended, context.Canceled)
	go func() { ended <- queue.Send(within(t), 3, []byte("9")) }()
	expectMessage(t, queue, signalbox.OnlyType(1), 1, "12345678")
	expectNil(t, <-ended)
	expectMessage(t, queue, signalbox.AnyMessage(), 3, "9")
	go func() {
		_, err := queue.Receive(within(t), nil, signalbox.AnyMessage())
		ended <- err
	}()
	expectNil(t, queue.Remove())
	expectError(t, <-ended, signalbox.ErrRemoved)
}

func newPosixQueue(t *testing.T) (*signalbox.PosixQueue, string) {
	t.Helper()
	name := fmt.Sprintf("/sbx-go-test-%d", os.Getpid())
	queue, err := signalbox.CreatePosixQueue(name,
		signalbox.PosixQueueOptions{MessagesMax: 2, MessageBytesMax: 16})
	if errors.Is(err, signalbox.ErrNotSupported) {
		t.Skip(err)
	}
	expectNil(t, err)
	t.Cleanup(func() {
		expectNil(t, signalbox.UnlinkPosixQueue(name))
		queue.Close()
	})
	return queue, name
}

func TestUrgentPosixMessagesComeFirst(t *testing.T) {
	queue, name := newPosixQueue(t)
	_, err := signalbox.CreatePosixQueue(name, signalbox.PosixQueueOptions{})
	expectError(t, err, signalbox.ErrAlreadyExists)
	_, err = signalbox.OpenPosixQueue("jobs", signalbox.QueueBoth)
	expectError(t, err, signalbox.ErrBadName)
	_, err = signalbox.OpenPosixQueue(name, 7)
	expectError(t, err, signalbox.ErrBadArgument)
	expectNil(t, queue.Send(within(t), []byte("low"), 1))
	expectNil(t, queue.Send(within(t), []byte("high"), 9))
	if must[bool](t)(queue.TrySend(nil, 9)) {
		t.Fatal("it is full")
	}
	if facts := must[signalbox.PosixQueueFacts](t)(queue.Facts()); facts !=
		(signalbox.PosixQueueFacts{MessagesMax: 2, MessageBytesMax: 16, Messages: 2}) {
		t.Fatalf("%+v", facts)
	}
	for _, expected := range []string{"high", "low"} {
		message := must[signalbox.PriorityMessage](t)(queue.Receive(within(t)))
		if string(message.Data) != expected {
			t.Fatalf("%q", message.Data)
		}
	}
	expectError(t, queue.Send(within(t), make([]byte, 17), 0), signalbox.ErrTooLarge)
	sender := must[*signalbox.PosixQueue](t)(signalbox.OpenPosixQueue(name, signalbox.QueueSend))
	defer sender.Close()
	_, _, err = sender.TryReceive()
	expectError(t, err, signalbox.ErrPermissionDenied)
}

func TestWaitsForAPosixQueueEnd(t *testing.T) {
	queue, name := newPosixQueue(t)
	late, cancelLate := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelLate()
	_, err := queue.Receive(late)
	expectError(t, err, signalbox.ErrTimedOut, name)

	// Several that wait on one handle, each with a context of its own.
	ctx, cancel := context.WithCancel(context.Background())
	ended, received := make(chan error), make(chan []byte)
	for range 3 {
		go func() {
			_, err := queue.Receive(ctx)
			ended <- err
		}()
	}
	cancel()
	for range 3 {
		expectError(t, <-ended, context.Canceled)
	}
	go func() {
		message, err := queue.Receive(within(t))
		received <- message.Data
		ended <- err
	}()
	expectNil(t, queue.Send(within(t), []byte("x"), 0))
	if data := <-received; !bytes.Equal(data, []byte("x")) {
		t.Fatalf("%q", data)
	}
	expectNil(t, <-ended)

	// Who sends into a full queue waits, too.
	const messages = 50
	go func() {
		other, err := signalbox.OpenPosixQueue(name, signalbox.QueueSend)
		for i := 0; err == nil && i < messages; i++ {
			err = other.Send(within(t), []byte{byte(i)}, 0)
		}
		ended <- err
	}()
	for i := range messages {
		message := must[signalbox.PriorityMessage](t)(queue.Receive(within(t)))
		if message.Data[0] != byte(i) {
			t.Fatalf("%d after %d", message.Data[0], i)
		}
	}
	expectNil(t, <-ended)

	go func() {
		_, err := queue.Receive(context.Background())
		ended <- err
	}()
	queue.Close()
	expectError(t, <-ended, signalbox.ErrClosed)
}

func TestAQueueThatCannotBeWaitedForIsCalledWhatItIs(t *testing.T) {
	err := signalbox.OpenQueueDoor("/jobs", -1)
	expectError(t, err, syscall.EBADF, `cannot wait for POSIX queue "/jobs": failed to duplicate`)
	file := must[*os.File](t)(os.Create(t.TempDir() + "/unpollable"))
	defer file.Close()
	err = signalbox.OpenQueueDoor("/jobs", int(file.Fd()))
	expectError(t, err, signalbox.ErrSystem, `cannot wait for POSIX queue "/jobs"`, "Go's poller")
}
