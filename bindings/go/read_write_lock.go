package signalbox

/*
#cgo nocallback sbxgo_lock_to_read
#cgo nocallback sbxgo_lock_to_write
#cgo nocallback sbx_read_release
#cgo nocallback sbx_write_release
#include "native_meetings.h"
*/
import "C"

import (
	"context"
	"runtime"
	"strconv"
	"sync"
)

// ReadWriteLock is a lock between processes that many may hold to read, or one to write, found by
// its name in a domain. Everybody goes in the order in which he came.
//
// It lives while anybody has it open, and longer if its last writer died and nobody was told. What
// the dead held is free within a millisecond or so; the next writer after a writer is told, once,
// and readers are not. At most 128 read at once, more wait in line.
//
// Goroutines use it as a [Mutex]: nothing is bound to a thread, and who holds it and asks for what
// excludes that waits.
type ReadWriteLock struct {
	open   openHandle
	name   string
	handle *C.sbx_read_write_lock
}

// ReadGuard is the lock held to read. Any goroutine may release it; one that is forgotten holds it
// until the process ends.
type ReadGuard struct {
	mu     sync.Mutex
	native C.sbx_read_guard
}

// WriteGuard is the lock held to write. Any goroutine may release it; one that is forgotten holds
// it until the process ends.
type WriteGuard struct {
	// The last writer died while he held it, and the repair has run.
	OwnerDied bool

	mu     sync.Mutex
	native C.sbx_write_guard
}

// OpenReadWriteLock opens the lock of that name in a domain ("": $SIGNALBOX_DOMAIN, else
// "default"), made if nobody has it open. Errors: those of OpenMutex.
func OpenReadWriteLock(name, domain string) (*ReadWriteLock, error) {
	var handle *C.sbx_read_write_lock
	err := tryNamed(name, domain, func(name, domain *C.char, result *C.sbxgo_result) C.int {
		return C.sbxgo_read_write_lock_open(name, domain, &handle, result)
	})
	if err != nil {
		return nil, err
	}
	lock := &ReadWriteLock{name: name, handle: handle}
	lock.open.free = func() { C.sbx_read_write_lock_close(handle) }
	runtime.SetFinalizer(lock, (*ReadWriteLock).Close)
	return lock, nil
}

// LockToRead takes it together with others who read, and waits for it until the context ends.
// Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrClosed, ErrDamaged.
func (l *ReadWriteLock) LockToRead(ctx context.Context) (*ReadGuard, error) {
	if held, err := l.TryLockToRead(); held != nil || err != nil {
		return held, err
	}
	held := &ReadGuard{}
	err := l.use("lock to read", func(handle *C.sbx_read_write_lock) error {
		return sleepInKernel(ctx, func() string { return l.action("lock to read") },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				return C.sbxgo_lock_to_read(handle, thread, &held.native, result)
			})
	})
	if err != nil {
		return nil, err
	}
	ordered()
	return held, nil
}

// TryLockToRead takes it to read, and never waits: nil, nil if it is not free for that.
func (l *ReadWriteLock) TryLockToRead() (*ReadGuard, error) {
	held, isBusy := &ReadGuard{}, false
	err := l.use("lock to read", func(handle *C.sbx_read_write_lock) error {
		return tryUnlessBusy(&isBusy, func(result *C.sbxgo_result) C.int {
			return C.sbx_try_lock_to_read(handle, &held.native, &result.error)
		})
	})
	if isBusy || err != nil {
		return nil, err
	}
	ordered()
	return held, nil
}

// LockToWrite takes it alone, and waits for it until the context ends. `repair` is called, under
// the lock, if the last writer died while he held it: [Mutex.Lock] says more. Errors: those of
// Mutex.Lock.
func (l *ReadWriteLock) LockToWrite(ctx context.Context,
	repair func() error) (*WriteGuard, error) {
	if held, err := l.TryLockToWrite(repair); held != nil || err != nil {
		return held, err
	}
	held := &WriteGuard{}
	err := l.use("lock to write", func(handle *C.sbx_read_write_lock) error {
		return sleepInKernel(ctx, func() string { return l.action("lock to write") },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				code := C.sbxgo_lock_to_write(handle, thread, &held.native, result)
				held.OwnerDied = result.done != 0
				return code
			})
	})
	if err != nil {
		return nil, err
	}
	return held.after(repair)
}

// TryLockToWrite takes it alone if it is free, and never waits: nil, nil if somebody else holds it.
func (l *ReadWriteLock) TryLockToWrite(repair func() error) (*WriteGuard, error) {
	if bad := needRepair(repair, "lock to write reader/writer lock", l.name); bad != nil {
		return nil, bad
	}
	held, isBusy := &WriteGuard{}, false
	err := l.use("lock to write", func(handle *C.sbx_read_write_lock) error {
		return tryUnlessBusy(&isBusy, func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_try_lock_to_write(handle, &held.native, result)
			held.OwnerDied = result.done != 0
			return code
		})
	})
	if isBusy || err != nil {
		return nil, err
	}
	return held.after(repair)
}

func (g *WriteGuard) after(repair func() error) (*WriteGuard, error) {
	return repairIfDied(g, g.OwnerDied, repair, func(result *C.sbxgo_result) C.int {
		return C.sbx_write_repaired(&g.native, &result.error)
	})
}

// Release gives the lock back. It never waits. Releasing twice is fine.
func (g *ReadGuard) Release() error {
	return releaseHeld(&g.mu, &g.native.is_held, func(result *C.sbxgo_result) C.int {
		return C.sbx_read_release(&g.native, &result.error)
	})
}

// Release gives the lock back. It never waits. Releasing twice is fine.
func (g *WriteGuard) Release() error {
	return releaseHeld(&g.mu, &g.native.is_held, func(result *C.sbxgo_result) C.int {
		return C.sbx_write_release(&g.native, &result.error)
	})
}

// Close frees the handle once no call is inside any more; what is held stays so. It does not wait.
// Closing twice is fine; the error is always nil.
func (l *ReadWriteLock) Close() error {
	l.open.close()
	runtime.SetFinalizer(l, nil)
	return nil
}

func (l *ReadWriteLock) use(verb string, call func(handle *C.sbx_read_write_lock) error) error {
	return l.open.use(func() string { return l.action(verb) },
		func() error { return call(l.handle) })
}

func (l *ReadWriteLock) action(verb string) string {
	return verb + " reader/writer lock " + strconv.Quote(l.name)
}
