package signalbox

/*
#cgo nocallback sbxgo_named_wait
#cgo nocallback sbxgo_named_try_wait
#cgo nocallback sbx_named_semaphore_post
#include "native_objects.h"
*/
import "C"

import (
	"context"
	"runtime"
	"strconv"
	"unsafe"
)

// NamedSemaphore is a POSIX semaphore: one count, which others find by a name such as "/printer".
//
// It lives until [UnlinkNamedSemaphore] and the last handle; units that the dead took stay taken.
// Any number of goroutines may use it at a time, and nothing is bound to a thread. It cannot be
// polled, so a wait that has to sleep holds one OS thread, though no place in Go's scheduler; a
// context ends it at once.
type NamedSemaphore struct {
	open   openHandle
	name   string
	handle *C.sbx_named_semaphore
}

func newNamedSemaphore(name string,
	create func(name *C.char, out **C.sbx_named_semaphore, result *C.sbxgo_result) C.int,
) (*NamedSemaphore, error) {
	if bad := refuseZero(name); bad != nil {
		return nil, bad
	}
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	var handle *C.sbx_named_semaphore
	err := try(func(result *C.sbxgo_result) C.int { return create(text, &handle, result) })
	if err != nil {
		return nil, err
	}
	semaphore := &NamedSemaphore{name: name, handle: handle}
	semaphore.open.free = func() { C.sbx_named_semaphore_close(handle) }
	runtime.SetFinalizer(semaphore, (*NamedSemaphore).Close)
	return semaphore, nil
}

// CreateNamedSemaphore makes a new one; mode 0 is 0600, exactly, whatever the umask. Errors:
// ErrAlreadyExists, ErrBadName, ErrOutOfRange, ErrNoSpace, ErrLimitReached, ErrPermissionDenied.
func CreateNamedSemaphore(name string, initial, mode uint32) (*NamedSemaphore, error) {
	return newNamedSemaphore(name,
		func(text *C.char, out **C.sbx_named_semaphore, result *C.sbxgo_result) C.int {
			return C.sbxgo_named_create(text, C.uint32_t(initial), modeOf(mode), 0, out, result)
		})
}

// OpenNamedSemaphore opens one that exists. Error besides: ErrNotFound.
func OpenNamedSemaphore(name string) (*NamedSemaphore, error) {
	return newNamedSemaphore(name,
		func(text *C.char, out **C.sbx_named_semaphore, result *C.sbxgo_result) C.int {
			return C.sbx_named_semaphore_open(text, out, &result.error)
		})
}

// OpenOrCreateNamedSemaphore opens it, or creates it with this count and mode.
func OpenOrCreateNamedSemaphore(name string, initial, mode uint32) (*NamedSemaphore, error) {
	return newNamedSemaphore(name,
		func(text *C.char, out **C.sbx_named_semaphore, result *C.sbxgo_result) C.int {
			return C.sbxgo_named_create(text, C.uint32_t(initial), modeOf(mode), 1, out, result)
		})
}

// UnlinkNamedSemaphore removes the name at once; those who have it open go on with the same
// semaphore.
func UnlinkNamedSemaphore(name string) error {
	if bad := refuseZero(name); bad != nil {
		return bad
	}
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return try(func(result *C.sbxgo_result) C.int {
		return C.sbx_named_semaphore_unlink(text, &result.error)
	})
}

// Wait takes one unit and waits for it until the context ends. The count is unchanged on an error.
// Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrClosed.
func (s *NamedSemaphore) Wait(ctx context.Context) error {
	if taken, err := s.TryWait(); taken || err != nil {
		return err
	}
	return s.use("wait for", func(handle *C.sbx_named_semaphore) error {
		return sleepInKernel(ctx, func() string { return s.action("wait for") },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				return C.sbxgo_named_wait(handle, thread, result)
			})
	})
}

// TryWait takes one unit if there is one, and never waits.
func (s *NamedSemaphore) TryWait() (bool, error) {
	taken := false
	err := s.use("wait for", func(handle *C.sbx_named_semaphore) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_named_try_wait(handle, result)
			taken = code == C.SBX_OK && result.done != 0
			return code
		})
	})
	return taken, err
}

// Post gives one unit and wakes one who waits. Error: ErrOutOfRange (the count is at its maximum).
func (s *NamedSemaphore) Post() error {
	return s.use("post to", func(handle *C.sbx_named_semaphore) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_named_semaphore_post(handle, &result.error)
		})
	})
}

// Value is how many units there are at this moment.
func (s *NamedSemaphore) Value() (int, error) {
	value := 0
	err := s.use("read", func(handle *C.sbx_named_semaphore) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_named_value(handle, result)
			value = int(result.value)
			return code
		})
	})
	return value, err
}

// Close frees the handle once no call is inside any more. It does not wait. Closing twice is fine;
// the error is always nil.
func (s *NamedSemaphore) Close() error {
	s.open.close()
	runtime.SetFinalizer(s, nil)
	return nil
}

func (s *NamedSemaphore) use(verb string, call func(handle *C.sbx_named_semaphore) error) error {
	return s.open.use(func() string { return s.action(verb) },
		func() error { return call(s.handle) })
}

func (s *NamedSemaphore) action(verb string) string {
	return verb + " semaphore " + strconv.Quote(s.name)
}
