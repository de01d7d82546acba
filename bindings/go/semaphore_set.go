package signalbox

/*
#cgo nocallback sbxgo_set_apply
#cgo nocallback sbxgo_set_try_apply
#include "native_objects.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// SemOp is one step on one count of a [SemaphoreSet]: a Delta below zero takes, above zero gives,
// zero waits until the count is zero. With Undo the kernel reverts it when this process ends, in
// whatever way. Take, Give and UntilZero make them.
type SemOp struct {
	Index    uint16
	Delta    int16
	Undo     bool
	isNoStep bool // Take or Give of fewer than one unit
}

// Take is a step that takes so many units, at least one: ErrBadArgument of Apply and TryApply.
func Take(index uint16, count int16) SemOp {
	return SemOp{Index: index, Delta: -count, isNoStep: count < 1}
}

// Give is a step that gives so many units, at least one.
func Give(index uint16, count int16) SemOp {
	return SemOp{Index: index, Delta: count, isNoStep: count < 1}
}

// UntilZero is a step that waits until the count is zero.
func UntilZero(index uint16) SemOp { return SemOp{Index: index} }

// UndoOnExit is the step, reverted by the kernel when this process ends.
func (op SemOp) UndoOnExit() SemOp {
	op.Undo = true
	return op
}

// PrivateKey makes a System V object that nobody finds by a key: relatives are told its id.
const PrivateKey int32 = 0

// SysvKeyOf is the key that ftok(3) makes of a file that exists and a project number of 1 to 255.
func SysvKeyOf(path string, project uint8) (int32, error) {
	if bad := refuseZero(path); bad != nil {
		return 0, bad
	}
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	var key C.int32_t
	err := try(func(result *C.sbxgo_result) C.int {
		return C.sbx_sysv_key_of_file(text, C.uint8_t(project), &key, &result.error)
	})
	return int32(key), err
}

// SemaphoreSet is System V semaphores: several counts changed as one step, or not at all.
//
// It lives until [SemaphoreSet.Remove] or the machine restarts; closing deletes nothing. Any number
// of goroutines may use it at a time, and nothing is bound to a thread: what is to be undone
// belongs to the process. The kernel cannot poll it, so a wait holds one OS thread, though no place
// in Go's scheduler; a context ends it at once.
type SemaphoreSet struct {
	open   openHandle
	handle *C.sbx_semaphore_set
	id     int
}

func newSemaphoreSet(create func(out **C.sbx_semaphore_set, result *C.sbxgo_result) C.int,
) (*SemaphoreSet, error) {
	var handle *C.sbx_semaphore_set
	err := try(func(result *C.sbxgo_result) C.int { return create(&handle, result) })
	if err != nil {
		return nil, err
	}
	set := &SemaphoreSet{handle: handle, id: int(C.sbx_semaphore_set_id(handle))}
	set.open.free = func() { C.sbx_semaphore_set_close(handle) }
	runtime.SetFinalizer(set, (*SemaphoreSet).Close)
	return set, nil
}

// CreateSemaphoreSet makes a new set with these counts; mode 0 is 0600, and no umask applies.
// Errors: ErrAlreadyExists, ErrNoSpace, ErrBadArgument (no semaphore), ErrOutOfRange.
func CreateSemaphoreSet(key int32, initial []uint16, mode uint32) (*SemaphoreSet, error) {
	return newSemaphoreSet(func(out **C.sbx_semaphore_set, result *C.sbxgo_result) C.int {
		return C.sbxgo_set_create(C.int32_t(key), countsOf(initial), C.uint64_t(len(initial)),
			modeOf(mode), out, result)
	})
}

// OpenSemaphoreSet opens a set of at least `count` semaphores (0: of any size) once its creator has
// set its counts, for which it waits so long (below 0: for ever).
// Errors: ErrNotFound, ErrBadArgument (fewer semaphores), ErrAbandoned (the creator died before).
func OpenSemaphoreSet(key int32, count int, wait time.Duration) (*SemaphoreSet, error) {
	return newSemaphoreSet(func(out **C.sbx_semaphore_set, result *C.sbxgo_result) C.int {
		return C.sbxgo_set_open(C.int32_t(key), clamped(count), C.int64_t(wait), out, result)
	})
}

// OpenOrCreateSemaphoreSet opens it, or creates it with these counts; who opens never sees it half
// made.
func OpenOrCreateSemaphoreSet(key int32, initial []uint16, mode uint32,
	wait time.Duration) (*SemaphoreSet, error) {
	return newSemaphoreSet(func(out **C.sbx_semaphore_set, result *C.sbxgo_result) C.int {
		return C.sbxgo_set_open_or_create(C.int32_t(key), countsOf(initial),
			C.uint64_t(len(initial)), modeOf(mode), C.int64_t(wait), out, result)
	})
}

// OpenSemaphoreSetAsIs opens what there is, even if nobody has used it yet. Errors: ErrNotFound,
// ErrBadArgument (a private key).
func OpenSemaphoreSetAsIs(key int32) (*SemaphoreSet, error) {
	return newSemaphoreSet(func(out **C.sbx_semaphore_set, result *C.sbxgo_result) C.int {
		return C.sbx_semaphore_set_open_as_is(C.int32_t(key), out, &result.error)
	})
}

// AttachSemaphoreSet is the set of this id, for example a private one of one's parent. Error:
// ErrNotFound.
func AttachSemaphoreSet(id int) (*SemaphoreSet, error) {
	return newSemaphoreSet(func(out **C.sbx_semaphore_set, result *C.sbxgo_result) C.int {
		return C.sbx_semaphore_set_attach(C.int(clamped(id)), out, &result.error)
	})
}

// ID is valid in every process of the name space until the set is removed.
func (s *SemaphoreSet) ID() int { return s.id }

// Apply performs all operations in order as one step and waits until that is possible, or until the
// context ends. Whatever the error, nothing changed.
//
// Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrRemoved, ErrOutOfRange (an
// index, or a count that would leave 0 to 32767), ErrTooLarge (too many operations),
// ErrBadArgument (none, or one that takes or gives fewer than one unit), ErrClosed.
func (s *SemaphoreSet) Apply(ctx context.Context, ops ...SemOp) error {
	native, err := opsOf(ops)
	if err != nil {
		return err
	}
	return s.use("use", func(handle *C.sbx_semaphore_set) error {
		return sleepInKernel(ctx, func() string { return s.action("apply operations to") },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				return C.sbxgo_set_apply(handle, unsafe.SliceData(native),
					C.uint64_t(len(native)), thread, result)
			})
	})
}

// TryApply is Apply that never waits. False: it would have had to, and nothing was changed.
func (s *SemaphoreSet) TryApply(ops ...SemOp) (bool, error) {
	native, err := opsOf(ops)
	if err != nil {
		return false, err
	}
	done := false
	err = s.use("use", func(handle *C.sbx_semaphore_set) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_set_try_apply(handle, unsafe.SliceData(native),
				C.uint64_t(len(native)), result)
			done = code == C.SBX_OK && result.done != 0
			return code
		})
	})
	return done, err
}

// Enter takes one unit of a count that says how many may be inside a section, and answers what
// leaves it, to be called once, from any goroutine. A process that dies inside has left. Errors:
// those of Apply.
//
//	leave, err := set.Enter(ctx, 0)
//	if err != nil {
//		return err
//	}
//	defer leave()
func (s *SemaphoreSet) Enter(ctx context.Context, index uint16) (leave func() error, err error) {
	if err := s.Apply(ctx, Take(index, 1).UndoOnExit()); err != nil {
		return nil, err
	}
	var once sync.Once
	return func() (err error) {
		once.Do(func() {
			err = s.Apply(context.Background(), Give(index, 1).UndoOnExit())
			if errors.Is(err, ErrRemoved) {
				err = nil // that the set is gone meanwhile is nobody's loss
			}
		})
		return err
	}, nil
}

// Value is what a count is. Error: ErrOutOfRange.
func (s *SemaphoreSet) Value(index uint16) (int, error) {
	value := 0
	err := s.use("read", func(handle *C.sbx_semaphore_set) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_set_value(handle, C.uint16_t(index), result)
			value = int(result.count)
			return code
		})
	})
	return value, err
}

// Values are all counts at one instant.
func (s *SemaphoreSet) Values() ([]uint16, error) {
	values := make([]uint16, 16)
	for {
		var count C.size_t
		err := s.use("read", func(handle *C.sbx_semaphore_set) error {
			return try(func(result *C.sbxgo_result) C.int {
				return C.sbx_semaphore_set_values(handle, countsOf(values),
					C.size_t(len(values)), &count, &result.error)
			})
		})
		if err != nil {
			return nil, err
		}
		if int(count) <= len(values) {
			return values[:count], nil
		}
		values = make([]uint16, count)
	}
}

// SemaphoreUsers says who uses a count.
type SemaphoreUsers struct {
	LastPID        int // that changed it; 0: none yet, or not visible from here
	WaitingToTake  int // how many sleep until it grows
	WaitingForZero int // how many sleep until it is zero
}

// Users says who uses a count.
func (s *SemaphoreSet) Users(index uint16) (SemaphoreUsers, error) {
	var users C.sbx_semaphore_users
	err := s.use("look at", func(handle *C.sbx_semaphore_set) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_semaphore_set_users(handle, C.uint16_t(index), &users, &result.error)
		})
	})
	return SemaphoreUsers{int(users.last_pid), int(users.waiting_to_take),
		int(users.waiting_for_zero)}, err
}

// SetValue sets a count whatever it is, wakes whom that lets go on, and makes the kernel forget
// what any process had to undo on it. Error: ErrOutOfRange.
func (s *SemaphoreSet) SetValue(index uint16, value int) error {
	return s.use("set", func(handle *C.sbx_semaphore_set) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_semaphore_set_set_value(handle, C.uint16_t(index), clamped(value),
				&result.error)
		})
	})
}

// SetValues is SetValue for all, as one step. Error besides: ErrBadArgument (not one value for each
// semaphore).
func (s *SemaphoreSet) SetValues(values []uint16) error {
	return s.use("set", func(handle *C.sbx_semaphore_set) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_semaphore_set_set_values(handle, countsOf(values), C.size_t(len(values)),
				&result.error)
		})
	})
}

// SemaphoreSetFacts are what the kernel knows of a set.
type SemaphoreSetFacts struct {
	Access        SysvAccess
	Count         int   // of semaphores
	LastOperation int64 // seconds since 1970; 0: none yet
	LastChange    int64 // when it was made, its counts set, or its access changed
}

// Facts are what the kernel knows of the set. Error: ErrPermissionDenied.
func (s *SemaphoreSet) Facts() (SemaphoreSetFacts, error) {
	facts := C.sbx_semaphore_set_facts{struct_size: C.sizeof_sbx_semaphore_set_facts}
	err := s.use("look at", func(handle *C.sbx_semaphore_set) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_semaphore_set_look(handle, &facts, &result.error)
		})
	})
	if err != nil {
		return SemaphoreSetFacts{}, err
	}
	return SemaphoreSetFacts{accessOf(facts.access), int(facts.count), int64(facts.last_operation),
		int64(facts.last_change)}, nil
}

// SysvAccess says whose a System V object is.
type SysvAccess struct {
	Key                    int32
	OwnerUID, OwnerGID     uint32
	CreatorUID, CreatorGID uint32 // may do what the owner may, and stays the same
	Mode                   uint32
}

func accessOf(access C.sbx_sysv_access) SysvAccess {
	return SysvAccess{int32(access.key), uint32(access.owner_uid), uint32(access.owner_gid),
		uint32(access.creator_uid), uint32(access.creator_gid), uint32(access.mode)}
}

// Remove removes the set: every sleeper wakes with ErrRemoved, and every later call answers it.
func (s *SemaphoreSet) Remove() error {
	return s.use("remove", func(handle *C.sbx_semaphore_set) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_semaphore_set_remove(handle, &result.error)
		})
	})
}

// Close frees the handle once no call is inside any more, and leaves the set as it is. It does not
// wait. Closing twice is fine; the error is always nil.
func (s *SemaphoreSet) Close() error {
	s.open.close()
	runtime.SetFinalizer(s, nil)
	return nil
}

// use runs `call` with the handle, which stays open meanwhile.
func (s *SemaphoreSet) use(verb string, call func(handle *C.sbx_semaphore_set) error) error {
	return s.open.use(func() string { return s.action(verb) },
		func() error { return call(s.handle) })
}

func (s *SemaphoreSet) action(verb string) string {
	return fmt.Sprintf("%s semaphore set %d", verb, s.id)
}

func opsOf(ops []SemOp) ([]C.sbx_sem_op, error) {
	native := make([]C.sbx_sem_op, len(ops))
	for i, op := range ops {
		if op.isNoStep {
			return nil, badArgument(fmt.Sprintf("cannot apply operation %d: it takes or gives fewer "+
				"than one unit. Use 1 to 32767, or UntilZero to wait for zero", i))
		}
		native[i] = C.sbx_sem_op{index: C.uint16_t(op.Index), delta: C.int16_t(op.Delta)}
		if op.Undo {
			native[i].flags = C.SBX_SEM_UNDO
		}
	}
	return native, nil
}

func countsOf(counts []uint16) *C.uint16_t {
	return (*C.uint16_t)(unsafe.Pointer(unsafe.SliceData(counts)))
}

// modeOf takes the zero value for what every object has unless asked.
func modeOf(mode uint32) C.uint32_t {
	if mode == 0 {
		mode = 0o600
	}
	return C.uint32_t(mode & uint32(os.ModePerm))
}

// clamped is the number, or the one of C's that is next to it: far too much stays too much.
func clamped(n int) C.int32_t { return C.int32_t(max(math.MinInt32, min(n, math.MaxInt32))) }

// refuseZero refuses a name that C would read only as far as its 0.
func refuseZero(name string) error {
	if strings.IndexByte(name, 0) < 0 {
		return nil
	}
	return &Error{Code: ErrBadName,
		Text: fmt.Sprintf("cannot use the name %q: it holds a 0 byte", name)}
}
