package signalbox

/*
#cgo nocallback sbxgo_semaphore_acquire
#cgo nocallback sbx_semaphore_try_acquire
#cgo nocallback sbx_permit_release
#include "native_locks.h"
*/
import "C"

import (
	"context"
	"runtime"
	"strconv"
	"sync"
)

// SemaphoreOptions say which semaphore it is. All but AbsentUnits have to be the same for all.
type SemaphoreOptions struct {
	Domain               string // "": $SIGNALBOX_DOMAIN, else "default"
	AbsentUnits          int    // how many of its units are not there when it is made
	FirstComeFirstServed bool   // nobody overtakes who stands in line
}

// Semaphore is a counting semaphore between processes, found by its name in a domain, whose units
// come back from the dead. Each of its units is free, held by a process, or absent.
//
// It lives while anybody has it open. Units held are given back within a millisecond or so of their
// holder's end, each once; what was posted or used up stays so. It has at most 4096 units.
//
// Any number of goroutines may use it at a time, and nothing is bound to a thread. A wait holds one
// OS thread, though no place in Go's scheduler; a context ends it.
type Semaphore struct {
	open   openHandle
	name   string
	handle *C.sbx_semaphore
}

// Permit is a unit that is held. Any goroutine may release it; one that is forgotten is held until
// the process ends.
type Permit struct {
	mu     sync.Mutex
	native C.sbx_permit
}

// OpenSemaphore opens the semaphore of that name, made if nobody has it open. All users ask for the
// same unitsMax. Errors: ErrBadArgument (unitsMax not within 1 and 4096, or more are absent), else
// those of OpenMutex.
func OpenSemaphore(name string, unitsMax int, o SemaphoreOptions) (*Semaphore, error) {
	const unitsLimit = 4096
	if err := outOfRange("unitsMax", unitsMax, 1, unitsLimit); err != nil {
		return nil, err
	}
	if err := outOfRange("AbsentUnits", o.AbsentUnits, 0, unitsMax); err != nil {
		return nil, err
	}
	free := unitsMax - o.AbsentUnits
	var handle *C.sbx_semaphore
	err := tryNamed(name, o.Domain, func(name, domain *C.char, result *C.sbxgo_result) C.int {
		return C.sbxgo_semaphore_open(name, C.uint32_t(unitsMax), C.uint32_t(free), domain,
			intOf(o.FirstComeFirstServed), &handle, result)
	})
	if err != nil {
		return nil, err
	}
	semaphore := &Semaphore{name: name, handle: handle}
	semaphore.open.free = func() { C.sbx_semaphore_close(handle) }
	runtime.SetFinalizer(semaphore, (*Semaphore).Close)
	return semaphore, nil
}

// Acquire takes a unit, which comes back with the permit or with our death, and waits for it until
// the context ends. Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrClosed,
// ErrDamaged.
func (s *Semaphore) Acquire(ctx context.Context) (*Permit, error) {
	if permit, err := s.TryAcquire(); permit != nil || err != nil {
		return permit, err
	}
	permit := &Permit{}
	err := s.use("acquire a unit of", func(handle *C.sbx_semaphore) error {
		return sleepInKernel(ctx, func() string { return s.action("acquire a unit of") },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				return C.sbxgo_semaphore_acquire(handle, thread, &permit.native, result)
			})
	})
	if err != nil {
		return nil, err
	}
	ordered()
	return permit, nil
}

// TryAcquire takes a unit if one is free, and never waits: nil, nil if none is.
func (s *Semaphore) TryAcquire() (*Permit, error) {
	permit, isBusy := &Permit{}, false
	err := s.use("acquire a unit of", func(handle *C.sbx_semaphore) error {
		return tryUnlessBusy(&isBusy, func(result *C.sbxgo_result) C.int {
			return C.sbx_semaphore_try_acquire(handle, &permit.native, &result.error)
		})
	})
	if isBusy || err != nil {
		return nil, err
	}
	ordered()
	return permit, nil
}

// Release gives the unit back. It never waits. Nothing to do where that was done, or the unit was
// used up.
func (p *Permit) Release() error {
	return releaseHeld(&p.mu, &p.native.is_held, func(result *C.sbxgo_result) C.int {
		return C.sbx_permit_release(&p.native, &result.error)
	})
}

// UseUp makes the unit absent from now on: what it stood for was taken away. Error: ErrBadArgument
// (it was released).
func (p *Permit) UseUp() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return try(func(result *C.sbxgo_result) C.int {
		return C.sbx_permit_use_up(&p.native, &result.error)
	})
}

// Consume takes a unit away for good, in one step: the classic wait. Errors: those of Acquire.
func (s *Semaphore) Consume(ctx context.Context) error {
	if taken, err := s.TryConsume(); taken || err != nil {
		return err
	}
	defer ordered()
	return s.use("consume a unit of", func(handle *C.sbx_semaphore) error {
		return sleepInKernel(ctx, func() string { return s.action("consume a unit of") },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				return C.sbxgo_semaphore_consume(handle, thread, result)
			})
	})
}

// TryConsume takes a unit away for good if one is free, and never waits.
func (s *Semaphore) TryConsume() (bool, error) {
	isBusy := false
	err := s.use("consume a unit of", func(handle *C.sbx_semaphore) error {
		return tryUnlessBusy(&isBusy, func(result *C.sbxgo_result) C.int {
			return C.sbx_semaphore_try_consume(handle, &result.error)
		})
	})
	ordered()
	return err == nil && !isBusy, err
}

// Post makes an absent unit free, and wakes one who waits. Error: ErrOutOfRange (no unit is
// absent).
func (s *Semaphore) Post() error {
	ordered()
	return s.use("post to", func(handle *C.sbx_semaphore) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_semaphore_post(handle, &result.error)
		})
	})
}

// Value is how many units are free at this moment.
func (s *Semaphore) Value() (int, error) {
	var value C.uint32_t
	err := s.use("read", func(handle *C.sbx_semaphore) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_semaphore_value(handle, &value, &result.error)
		})
	})
	return int(value), err
}

// Close frees the handle once no call is inside any more; what is held stays so. It does not wait.
// Closing twice is fine; the error is always nil.
func (s *Semaphore) Close() error {
	s.open.close()
	runtime.SetFinalizer(s, nil)
	return nil
}

func (s *Semaphore) use(verb string, call func(handle *C.sbx_semaphore) error) error {
	return s.open.use(func() string { return s.action(verb) },
		func() error { return call(s.handle) })
}

func (s *Semaphore) action(verb string) string {
	return verb + " semaphore " + strconv.Quote(s.name)
}
