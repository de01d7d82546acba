package signalbox

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
)

// queueDoor parks goroutines until a queue's descriptor is readable or writable, by Go's own
// poller: no OS thread is held meanwhile.
type queueDoor struct {
	file *os.File
	raw  syscall.RawConn
}

// newQueueDoor leaves the descriptor to the queue, which closes it.
func newQueueDoor(name string, descriptor int) (*queueDoor, *Error) {
	file, raw, bad := pollable("POSIX queue "+strconv.Quote(name), descriptor)
	if bad != nil {
		return nil, bad
	}
	return &queueDoor{file, raw}, nil
}

func (d *queueDoor) close() { d.file.Close() }

// Both park until `try` answers true or the context ends, and try once after each waking. An error
// that is no deadline: the file was closed.
func (d *queueDoor) sleepUntilReadable(ctx context.Context, try func() bool) {
	sleepUntil(ctx, d.file.SetReadDeadline, d.raw.Read, try)
}

func (d *queueDoor) sleepUntilWritable(ctx context.Context, try func() bool) {
	sleepUntil(ctx, d.file.SetWriteDeadline, d.raw.Write, try)
}

func sleepUntil(ctx context.Context, setEnd func(time.Time) error,
	park func(func(uintptr) bool) error, try func() bool) {
	setEnd(time.Time{})
	interrupted := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		setEnd(longAgo)
		close(interrupted)
	})
	defer func() {
		if !cancel() {
			<-interrupted // or it would cut short the next wait
		}
	}()
	if err := park(func(uintptr) bool { return try() }); err != nil &&
		!errors.Is(err, os.ErrDeadlineExceeded) {
		try() // the queue was closed, and this says so
	}
}

// waitInLine tries until it is done, fails, or the context ends, and sleeps in between; of those
// who have to sleep for the same there is one at a time in `line`.
func waitInLine(ctx context.Context, what func() string, line chan struct{},
	sleep func(ctx context.Context, try func() bool), try func() (bool, error)) error {
	if ctx.Err() != nil {
		return contextErrorOf(what(), ctx)
	}
	done, err := try()
	if done || err != nil {
		return err
	}
	select {
	case line <- struct{}{}:
		defer func() { <-line }()
	case <-ctx.Done():
		return contextErrorOf(what(), ctx)
	}
	sleep(ctx, func() bool {
		done, err = try()
		return done || err != nil
	})
	if done || err != nil {
		return err
	}
	return contextErrorOf(what(), ctx)
}
