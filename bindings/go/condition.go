package signalbox

/*
#cgo nocallback sbxgo_condition_wait
#include "native_meetings.h"
*/
import "C"

import (
	"context"
	"runtime"
	"strconv"
)

// Condition is a condition between processes, found by its name in a domain, to be waited for under
// a [Mutex]. Use one condition with one mutex.
//
// It lives while anybody has it open. When a process that has it open dies all waiters wake and
// look again: nothing that the dead one was told, or had still to tell, is lost. There is room for
// 256 waiters and processes that have it open. A wait holds one OS thread, though no place in Go's
// scheduler.
type Condition struct {
	open   openHandle
	name   string
	handle *C.sbx_condition
}

// OpenCondition opens the condition of that name in a domain ("": $SIGNALBOX_DOMAIN, else
// "default"), made if nobody has it open. Errors: those of OpenMutex.
func OpenCondition(name, domain string) (*Condition, error) {
	var handle *C.sbx_condition
	err := tryNamed(name, domain, func(name, domain *C.char, result *C.sbxgo_result) C.int {
		return C.sbx_condition_open(name, domain, &handle, &result.error)
	})
	if err != nil {
		return nil, err
	}
	condition := &Condition{name: name, handle: handle}
	condition.open.free = func() { C.sbx_condition_close(handle) }
	runtime.SetFinalizer(condition, (*Condition).Close)
	return condition, nil
}

// Wait gives the mutex back, sleeps until it is notified or the context ends, and takes the mutex
// again, however long that lasts. It may also end for nothing, so look at what you wait for after
// each wait:
//
//	for queue.isEmpty() {
//		if err := changed.Wait(ctx, held, queue.rebuild); err != nil {
//			return err
//		}
//	}
//
// `repair` is called as by [Mutex.Lock] if an owner of the mutex died meanwhile. No other call may
// be made on the guard meanwhile.
//
// Errors: ErrTimedOut and ErrInterrupted when the context ends, with which the mutex is held again;
// ErrClosed and ErrBadArgument (no repair, or the mutex is not held), with which nothing has
// changed; and those with which the mutex was given back: of the repair, ErrLimitReached (256 wait
// or have it open), ErrDamaged. Releasing the guard is right after all of them.
func (c *Condition) Wait(ctx context.Context, held *MutexGuard, repair func() error) error {
	if bad := needRepair(repair, "wait for condition", c.name); bad != nil {
		return bad
	}
	err := c.use("wait for", func(handle *C.sbx_condition) error {
		if ctx.Err() != nil {
			return contextErrorOf(c.action("wait for"), ctx)
		}
		return c.wait(ctx, handle, held)
	})
	if err != nil {
		return err
	}
	if _, err := held.after(repair); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return contextErrorOf(c.action("wait for"), ctx)
	}
	return nil
}

func (c *Condition) wait(ctx context.Context, handle *C.sbx_condition, held *MutexGuard) error {
	held.mu.Lock()
	defer held.mu.Unlock()
	ordered()
	thread := new(C.int32_t)
	defer kickWhenDone(ctx, thread)()
	return try(func(result *C.sbxgo_result) C.int {
		code := C.sbxgo_condition_wait(handle, &held.native, intOf(ctx.Done() != nil), thread,
			result)
		if code == C.SBX_OK {
			held.OwnerDied = result.done != 0
		}
		return code
	})
}

// NotifyOne wakes the one who has waited longest. Best under the mutex.
func (c *Condition) NotifyOne() error {
	return c.use("notify", func(handle *C.sbx_condition) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_condition_notify_one(handle, &result.error)
		})
	})
}

// NotifyAll wakes all who wait. Best under the mutex.
func (c *Condition) NotifyAll() error {
	return c.use("notify", func(handle *C.sbx_condition) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_condition_notify_all(handle, &result.error)
		})
	})
}

// Close frees the handle once no call is inside any more. It does not wait. Closing twice is fine;
// the error is always nil.
func (c *Condition) Close() error {
	c.open.close()
	runtime.SetFinalizer(c, nil)
	return nil
}

func (c *Condition) use(verb string, call func(handle *C.sbx_condition) error) error {
	return c.open.use(func() string { return c.action(verb) },
		func() error { return call(c.handle) })
}

func (c *Condition) action(verb string) string {
	return verb + " condition " + strconv.Quote(c.name)
}
