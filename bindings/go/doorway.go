package signalbox

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
)

// doorway parks a goroutine until the descriptor of a subscriber or a topic watcher is readable, by
// Go's own poller: no OS thread is held meanwhile.
type doorway struct {
	object string // whose it is, for messages: "topic \"robot/pose\""
	file   *os.File
	raw    syscall.RawConn
}

// The library tells every arrival and every death. A message whose signal was lost all the same is
// found after this long, so that a fault costs time and never a hang.
const lookAgainAfter = time.Second

// longAgo is a deadline that has passed whatever the clock says.
var longAgo = time.Unix(1, 0)

// newDoorway leaves the descriptor to its owner, who closes it.
func newDoorway(object string, descriptor int) (*doorway, *Error) {
	file, raw, bad := pollable(object, descriptor)
	if bad != nil {
		return nil, bad
	}
	return &doorway{object: object, file: file, raw: raw}, nil
}

// pollable gives a duplicate of the descriptor to Go's poller; its owner closes its own, os.File
// this one. `object` is for the error: "topic \"robot/pose\"".
func pollable(object string, descriptor int) (*os.File, syscall.RawConn, *Error) {
	fd, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(descriptor),
		syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return nil, nil, pollError(object, "duplicate its descriptor", errno)
	}
	// Only a non-blocking descriptor is given to Go's poller.
	if err := syscall.SetNonblock(int(fd), true); err != nil {
		syscall.Close(int(fd))
		return nil, nil, pollError(object, "make its descriptor non-blocking", err)
	}
	file := os.NewFile(fd, "signalbox: "+object)
	// Without the poller this fails: better now than a wait that cannot be cancelled.
	if err := file.SetDeadline(time.Time{}); err != nil {
		file.Close()
		return nil, nil, pollError(object, "give its descriptor to Go's poller", err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, nil, pollError(object, "reach its descriptor", err)
	}
	return file, raw, nil
}

func topicObject(topic string) string { return "topic " + strconv.Quote(topic) }

func pollError(object, what string, err error) *Error {
	var errno syscall.Errno
	errors.As(err, &errno)
	code := ErrSystem
	if errno == syscall.EMFILE || errno == syscall.ENFILE {
		code = ErrLimitReached
	}
	return &Error{Code: code, Errno: errno, Text: "cannot wait for " + object + ": failed to " + what +
		": " + err.Error() + ". Raise the limit of open files, if it is that"}
}

// close wakes a goroutine that is parked in wait and returns after its last call of `take`.
func (d *doorway) close() { d.file.Close() }

// wait calls `take` until it has a message or an error, and parks in between. The empty take has
// armed the descriptor, so nothing can slip in between it and the parking.
func (d *doorway) wait(ctx context.Context, take func() (bool, error)) error {
	stop := d.interruptWhenDone(ctx)
	defer stop()
	for {
		d.file.SetReadDeadline(time.Now().Add(lookAgainAfter))
		// In this order: a context that ended before is seen here, one that ends later moves the
		// deadline just set.
		if ctx.Err() != nil {
			return contextErrorOf("receive from "+d.object, ctx)
		}
		taken, err := false, error(nil)
		parked := d.raw.Read(func(uintptr) bool {
			taken, err = take()
			return taken || err != nil
		})
		if taken || err != nil {
			return err
		}
		if errors.Is(parked, os.ErrDeadlineExceeded) {
			continue
		}
		// The file was closed: so is its owner, and take says so.
		if taken, err = take(); taken || err != nil {
			return err
		}
		return pollError(d.object, "wait on its descriptor", parked)
	}
}

// interruptWhenDone ends the parking when the context does. The returned function undoes it.
func (d *doorway) interruptWhenDone(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	interrupted := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		d.file.SetReadDeadline(longAgo)
		close(interrupted)
	})
	return func() {
		if !cancel() {
			<-interrupted // or it would cut short the next wait
		}
	}
}
