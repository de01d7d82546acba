package signalbox

/*
#include "native_meetings.h"
*/
import "C"

import (
	"context"
	"runtime"
	"strconv"
)

// Barrier is a place between processes, found by its name in a domain, where so many must have
// arrived before any goes on. It is used again and again by as many parties; a party is one call
// that waits.
//
// It lives while anybody has it open. When a party dies while it waits, all who wait with it are
// told ErrAbandoned, once each. It is for at most 256 parties. A wait holds one OS thread, though
// no place in Go's scheduler.
type Barrier struct {
	open   openHandle
	name   string
	handle *C.sbx_barrier
}

// OpenBarrier opens the barrier of that name in a domain ("": $SIGNALBOX_DOMAIN, else "default"),
// made if nobody has it open; all ask for as many parties. Errors: ErrBadArgument (not 1 to 256
// parties), else those of OpenMutex.
func OpenBarrier(name string, parties int, domain string) (*Barrier, error) {
	const partiesLimit = 256
	if err := outOfRange("parties", parties, 1, partiesLimit); err != nil {
		return nil, err
	}
	var handle *C.sbx_barrier
	err := tryNamed(name, domain, func(name, domain *C.char, result *C.sbxgo_result) C.int {
		return C.sbx_barrier_open(name, C.uint32_t(parties), domain, &handle, &result.error)
	})
	if err != nil {
		return nil, err
	}
	barrier := &Barrier{name: name, handle: handle}
	barrier.open.free = func() { C.sbx_barrier_close(handle) }
	runtime.SetFinalizer(barrier, (*Barrier).Close)
	return barrier, nil
}

// ArriveAndWait arrives, and waits until all have or the context ends. Errors: ErrAbandoned (one of
// those who waited died; meet again when somebody has come in its place), ErrTimedOut and
// ErrInterrupted when the context ends (it is as if we had not come), ErrClosed, ErrLimitReached
// (far more than the parties wait), ErrDamaged.
func (b *Barrier) ArriveAndWait(ctx context.Context) error {
	action := func() string { return "meet at barrier " + strconv.Quote(b.name) }
	ordered()
	defer ordered()
	return b.open.use(action, func() error {
		return sleepInKernel(ctx, action,
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				return C.sbxgo_barrier_arrive_and_wait(b.handle, thread, result)
			})
	})
}

// Close frees the handle once no call is inside any more. It does not wait. Closing twice is fine;
// the error is always nil.
func (b *Barrier) Close() error {
	b.open.close()
	runtime.SetFinalizer(b, nil)
	return nil
}
