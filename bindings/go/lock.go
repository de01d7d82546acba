package signalbox

/*
#cgo nocallback sbxgo_mutex_lock
#cgo nocallback sbxgo_mutex_try_lock
#cgo nocallback sbx_mutex_release
#include "native_locks.h"
*/
import "C"

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"
)

// LockOptions say which lock it is. All who use it ask for the same.
type LockOptions struct {
	Domain string // "": $SIGNALBOX_DOMAIN, else "default"
	// Once somebody stands in line, nobody who comes later takes the lock before him. It costs
	// throughput.
	FirstComeFirstServed bool
}

// Regardless is the repair of a lock that guards nothing which could be left half changed.
func Regardless() error { return nil }

// Mutex is a mutex between processes whose holder may die, found by its name in a domain.
//
// It lives while anybody has it open, and longer if its last holder died and nobody was told. When
// a holder dies, in whatever way, his lock is given back within a millisecond or so, and the next
// owner is told, once. At most 256 wait in line; those beyond look every millisecond.
//
// Any number of goroutines may use it at a time, and nothing is bound to a thread: a goroutine that
// holds it and locks it again waits, as with a sync.Mutex. A wait holds one OS thread, though no
// place in Go's scheduler; a context ends it.
type Mutex struct {
	open   openHandle
	name   string
	handle *C.sbx_mutex
}

// MutexGuard is a mutex that is held. Any goroutine may release it; one that is forgotten holds it
// until the process ends.
type MutexGuard struct {
	// The last owner died while he held it, and the repair has run.
	OwnerDied bool

	mu     sync.Mutex
	native C.sbx_mutex_guard
}

// OpenMutex opens the mutex of that name, made if nobody has it open. Errors: ErrBadName,
// ErrTypeMismatch (it is another kind of object, or of other options), ErrDamaged,
// ErrLayoutMismatch, ErrNoSpace, ErrPermissionDenied, ErrLimitReached.
func OpenMutex(name string, o LockOptions) (*Mutex, error) {
	var handle *C.sbx_mutex
	err := tryNamed(name, o.Domain, func(name, domain *C.char, result *C.sbxgo_result) C.int {
		return C.sbxgo_mutex_open(name, domain, intOf(o.FirstComeFirstServed), &handle, result)
	})
	if err != nil {
		return nil, err
	}
	mutex := &Mutex{name: name, handle: handle}
	mutex.open.free = func() { C.sbx_mutex_close(handle) }
	runtime.SetFinalizer(mutex, (*Mutex).Close)
	return mutex, nil
}

// Lock takes the mutex, and waits for it until the context ends.
//
// If the last owner died while he held it, or his repair failed, what it guards may be half
// changed: `repair` is called then, under the lock. If it fails, so does Lock, with its error, and
// the mutex is given back for the next owner to repair. It has to be given; [Regardless] will do
// where nothing can be left half changed.
//
// Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrBadArgument (no repair),
// ErrClosed, ErrDamaged.
//
//	held, err := mutex.Lock(ctx, table.rebuild)
//	if err != nil {
//		return err
//	}
//	defer held.Release()
func (m *Mutex) Lock(ctx context.Context, repair func() error) (*MutexGuard, error) {
	if held, err := m.TryLock(repair); held != nil || err != nil {
		return held, err
	}
	held := &MutexGuard{}
	err := m.use("lock", func(handle *C.sbx_mutex) error {
		return sleepInKernel(ctx, func() string { return m.action("lock") },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				code := C.sbxgo_mutex_lock(handle, thread, &held.native, result)
				held.OwnerDied = result.done != 0
				return code
			})
	})
	if err != nil {
		return nil, err
	}
	return held.after(repair)
}

// TryLock takes the mutex if it is free, and never waits: nil, nil if somebody else holds it.
func (m *Mutex) TryLock(repair func() error) (*MutexGuard, error) {
	if bad := needRepair(repair, "lock mutex", m.name); bad != nil {
		return nil, bad
	}
	held, isBusy := &MutexGuard{}, false
	err := m.use("lock", func(handle *C.sbx_mutex) error {
		return tryUnlessBusy(&isBusy, func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_mutex_try_lock(handle, &held.native, result)
			held.OwnerDied = result.done != 0
			return code
		})
	})
	if isBusy || err != nil {
		return nil, err
	}
	return held.after(repair)
}

func (g *MutexGuard) after(repair func() error) (*MutexGuard, error) {
	return repairIfDied(g, g.OwnerDied, repair, func(result *C.sbxgo_result) C.int {
		return C.sbx_mutex_repaired(&g.native, &result.error)
	})
}

// Release gives the mutex back. It never waits. Releasing twice is fine.
func (g *MutexGuard) Release() error {
	return releaseHeld(&g.mu, &g.native.is_held, func(result *C.sbxgo_result) C.int {
		return C.sbx_mutex_release(&g.native, &result.error)
	})
}

// Close frees the handle once no call is inside any more; what is held stays so. It does not wait.
// Closing twice is fine; the error is always nil.
func (m *Mutex) Close() error {
	m.open.close()
	runtime.SetFinalizer(m, nil)
	return nil
}

func (m *Mutex) use(verb string, call func(handle *C.sbx_mutex) error) error {
	return m.open.use(func() string { return m.action(verb) },
		func() error { return call(m.handle) })
}

func (m *Mutex) action(verb string) string { return verb + " mutex " + strconv.Quote(m.name) }

// ---- what all locks do alike

// order tells Go what locks in C have ordered: neither its memory model nor its race detector looks
// into C. Each who takes something sees what those did who gave it back before.
var order atomic.Uint64

func ordered() { order.Add(1) }

// tryNamed runs a call that opens what has a name in a domain.
func tryNamed(name, domain string,
	call func(name, domain *C.char, result *C.sbxgo_result) C.int) error {
	for _, text := range []string{name, domain} {
		if bad := refuseZero(text); bad != nil {
			return bad
		}
	}
	nameText := C.CString(name)
	defer C.free(unsafe.Pointer(nameText))
	var domainText *C.char
	if domain != "" {
		domainText = C.CString(domain)
		defer C.free(unsafe.Pointer(domainText))
	}
	return try(func(result *C.sbxgo_result) C.int { return call(nameText, domainText, result) })
}

// tryUnlessBusy runs a call that takes something, and tells whether somebody else has it.
func tryUnlessBusy(isBusy *bool, call func(result *C.sbxgo_result) C.int) error {
	return try(func(result *C.sbxgo_result) C.int {
		code := call(result)
		if code == C.SBX_WOULD_BLOCK {
			*isBusy = true
			return C.SBX_OK
		}
		return code
	})
}

func needRepair(repair func() error, what, name string) error {
	if repair != nil {
		return nil
	}
	return badArgument("cannot " + what + " " + strconv.Quote(name) + ": say how to repair what a " +
		"dead owner left half changed; Regardless where nothing can be")
}

// repairIfDied lets a guard out once what the dead left is whole. Also where the repair panics it
// stays marked for the next owner.
func repairIfDied[G interface{ Release() error }](held G, died bool, repair func() error,
	repaired func(result *C.sbxgo_result) C.int) (G, error) {
	var none G
	ordered()
	if !died {
		return held, nil
	}
	isWhole := false
	defer func() {
		if !isWhole {
			held.Release()
		}
	}()
	if err := repair(); err != nil {
		return none, err
	}
	isWhole = true
	if err := try(repaired); err != nil {
		return none, err
	}
	return held, nil
}

// releaseHeld gives back what a guard holds, once; `mu` is the guard's own.
func releaseHeld(mu *sync.Mutex, isHeld *C.uint32_t,
	release func(result *C.sbxgo_result) C.int) error {
	mu.Lock()
	defer mu.Unlock()
	if *isHeld == 0 {
		return nil
	}
	ordered()
	return try(release)
}

func intOf(yes bool) C.int {
	if yes {
		return 1
	}
	return 0
}
