package signalbox

/*
#include "native_objects.h"
*/
import "C"

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Objects that cannot be polled are waited for in C, in the OS thread that runs the goroutine. Go's
// scheduler gives the thread's place to another meanwhile, so others run; what the wait costs is
// one thread. When the context ends a signal, the one Go itself interrupts threads with, ends the
// sleep, so that nobody has to look up every now and then.

// kickAgainAfter is how soon another signal follows one that came just before the sleep.
const kickAgainAfter = time.Millisecond

var results = sync.Pool{New: func() any { return new(C.sbxgo_result) }}

// failureOf is the error that a call left behind when it answered `code`.
func failureOf(code C.int, result *C.sbxgo_result) *Error {
	return &Error{
		Code:  Code(code),
		Errno: syscall.Errno(result.error.sys_errno),
		Text:  C.GoString(&result.error.text[0]),
	}
}

// try runs a call that does not sleep.
func try(call func(result *C.sbxgo_result) C.int) error {
	result := results.Get().(*C.sbxgo_result)
	defer results.Put(result)
	if code := call(result); code != C.SBX_OK {
		return failureOf(code, result)
	}
	return nil
}

// sleepInKernel runs `call`, which sleeps and tells its thread meanwhile, until it is done or the
// context has ended. `what` is for the context's error, "take from semaphore set 3", which seldom
// comes: a text that is made only then.
func sleepInKernel(ctx context.Context, what func() string,
	call func(thread *C.int32_t, result *C.sbxgo_result) C.int) error {
	if ctx.Err() != nil {
		return contextErrorOf(what(), ctx)
	}
	result := results.Get().(*C.sbxgo_result)
	defer results.Put(result)
	thread := new(C.int32_t)
	defer kickWhenDone(ctx, thread)()
	for {
		code := call(thread, result)
		switch {
		case code == C.SBX_OK:
			return nil
		case code != C.SBX_INTERRUPTED && code != C.SBX_TIMED_OUT:
			return failureOf(code, result)
		case ctx.Err() != nil:
			return contextErrorOf(what(), ctx)
		}
	}
}

// kickWhenDone interrupts the thread's sleeps once the context has ended. The returned function
// ends that.
func kickWhenDone(ctx context.Context, thread *C.int32_t) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	left, ended := make(chan struct{}), make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(ended)
		kickUntil(left, thread)
	})
	return func() {
		close(left)
		if !cancel() {
			<-ended
		}
	}
}

// kickUntil interrupts the thread's sleeps until the channel is closed.
func kickUntil(left <-chan struct{}, thread *C.int32_t) {
	again := time.NewTicker(kickAgainAfter)
	defer again.Stop()
	for {
		if asleep := atomic.LoadInt32((*int32)(thread)); asleep != 0 {
			C.sbxgo_kick(C.int32_t(asleep))
		}
		select {
		case <-left:
			return
		case <-again.C:
		}
	}
}

// openHandle counts who is inside C with a handle, so that closing it neither takes it away from
// them nor waits for them: the last one out frees it.
type openHandle struct {
	mu     sync.Mutex
	users  int
	closed bool
	free   func()
}

// use runs `call` while the handle is open; `action` is for the error when it is not.
func (h *openHandle) use(action func() string, call func() error) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return closedObject(action())
	}
	h.users++
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.users--
		isLast := h.closed && h.users == 0
		h.mu.Unlock()
		if isLast {
			h.free()
		}
	}()
	return call()
}

func (h *openHandle) close() {
	h.mu.Lock()
	isLast := !h.closed && h.users == 0
	h.closed = true
	h.mu.Unlock()
	if isLast {
		h.free()
	}
}

func closedObject(action string) *Error {
	return &Error{Code: ErrClosed, Text: "cannot " + action + ": this handle is closed"}
}
