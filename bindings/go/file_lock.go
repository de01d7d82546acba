package signalbox

/*
#include "native_locks.h"
*/
import "C"

import (
	"context"
	"os"
	"strconv"
	"sync"
)

// LockOwner is whose a lock on a file is. The three know nothing of each other. The zero value is
// OwnerOpenFile.
type LockOwner uint32

const (
	// OwnerOpenFile is fcntl's lock of an open file: what you want.
	OwnerOpenFile LockOwner = iota
	// OwnerFlock is the same for the whole file only; flock(1) knows it.
	OwnerFlock
	// OwnerProcess is fcntl's classic lock, which the closing of any descriptor of the file drops.
	OwnerProcess
)

// FileLockOptions say what is locked, and how. The zero value is the whole file, exclusively.
type FileLockOptions struct {
	Shared bool   // others may share it; needs a file open for reading, else for writing
	Begin  uint64 // the first byte
	Bytes  uint64 // how many; 0: to the end of the file, however long it becomes
	Owner  LockOwner
}

// FileLock is an advisory lock on a file, or on a range of its bytes, that is held. It lasts until
// Release, or until the last copy of the descriptor is closed; the kernel releases it at any death.
// Two goroutines exclude each other where each has opened the file itself.
type FileLock struct {
	file *os.File

	mu   sync.Mutex
	o    FileLockOptions
	held bool
}

// LockFile takes a lock on the file, and waits for it until the context ends. With a context that
// can end it looks again and again, up to 100 times a second, in one OS thread; with another it
// sleeps in the kernel's own queue. The file stays yours, and must stay open.
//
// Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrBadArgument (the file's access,
// or the range), ErrWouldDeadlock (of a process), ErrLimitReached, ErrClosed (the file).
func LockFile(ctx context.Context, file *os.File, o FileLockOptions) (*FileLock, error) {
	if err := takeFileLock(ctx, file, o); err != nil {
		return nil, err
	}
	ordered()
	return &FileLock{file: file, o: o, held: true}, nil
}

// TryLockFile takes a lock on the file if none is in the way, and never waits: nil, nil if one is.
func TryLockFile(file *os.File, o FileLockOptions) (*FileLock, error) {
	taken, err := tryFileLock(file, o)
	if !taken || err != nil {
		return nil, err
	}
	ordered()
	return &FileLock{file: file, o: o, held: true}, nil
}

// Convert makes it a shared or an exclusive lock. On an error the old one is held on, but for
// OwnerFlock, whose conversion releases first. Two who share it and both convert wait for each
// other: use a context that ends. Errors: those of LockFile.
func (l *FileLock) Convert(ctx context.Context, shared bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held {
		return badArgument("cannot convert a lock on " + strconv.Quote(l.file.Name()) +
			": it was released")
	}
	wanted := l.o
	wanted.Shared = shared
	ordered()
	defer ordered()
	if err := takeFileLock(ctx, l.file, wanted); err != nil {
		return err
	}
	l.o = wanted
	return nil
}

// Release gives it back. Releasing twice is fine, and so is a file that was closed: the lock is
// gone with it.
func (l *FileLock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.held {
		return nil
	}
	l.held = false
	ordered()
	var err error
	if withDescriptor(l.file, func(fd C.int) {
		err = try(func(result *C.sbxgo_result) C.int {
			return C.sbxgo_file_lock_release(fd, C.uint32_t(l.o.Owner), C.uint64_t(l.o.Begin),
				C.uint64_t(l.o.Bytes), result)
		})
	}) != nil {
		return nil
	}
	return err
}

// LockHolder is somebody whose lock is in the way. PID 0: unknown, as of an open file's always.
type LockHolder struct {
	Shared       bool
	PID          int
	Begin, Bytes uint64
}

// HolderOfFile says whose lock would stand in the way of this one; nil: nobody's, but that may have
// changed by now. A lock of one's own is never in the way. For OwnerFlock it is slow.
func HolderOfFile(file *os.File, o FileLockOptions) (*LockHolder, error) {
	var native C.sbx_lock_holder
	found := false
	err := onFile(file, func(fd C.int) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_file_lock_holder(fd, kindOf(o), C.uint32_t(o.Owner),
				C.uint64_t(o.Begin), C.uint64_t(o.Bytes), &native, result)
			found = result.done != 0
			return code
		})
	})
	if err != nil || !found {
		return nil, err
	}
	return &LockHolder{native.kind == C.SBX_LOCK_SHARED, int(native.pid),
		uint64(native._range.begin), uint64(native._range.bytes)}, nil
}

func takeFileLock(ctx context.Context, file *os.File, o FileLockOptions) error {
	if taken, err := tryFileLock(file, o); taken || err != nil {
		return err
	}
	return onFile(file, func(fd C.int) error {
		return sleepInKernel(ctx, func() string { return "lock file " + strconv.Quote(file.Name()) },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				return C.sbxgo_file_lock_take(fd, kindOf(o), C.uint32_t(o.Owner),
					C.uint64_t(o.Begin), C.uint64_t(o.Bytes), intOf(ctx.Done() != nil), thread,
					result)
			})
	})
}

func tryFileLock(file *os.File, o FileLockOptions) (taken bool, err error) {
	err = onFile(file, func(fd C.int) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_file_lock_try_take(fd, kindOf(o), C.uint32_t(o.Owner),
				C.uint64_t(o.Begin), C.uint64_t(o.Bytes), result)
			taken = code == C.SBX_OK && result.done != 0
			return code
		})
	})
	return taken, err
}

// onFile runs `call` with the file's descriptor, which stays open meanwhile.
func onFile(file *os.File, call func(fd C.int) error) error {
	var err error
	if closed := withDescriptor(file, func(fd C.int) { err = call(fd) }); closed != nil {
		return &Error{Code: ErrClosed, Text: "cannot lock a file: " + closed.Error(), cause: closed}
	}
	return err
}

func withDescriptor(file *os.File, call func(fd C.int)) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { call(C.int(fd)) })
}

func kindOf(o FileLockOptions) C.int {
	if o.Shared {
		return C.SBX_LOCK_SHARED
	}
	return C.SBX_LOCK_EXCLUSIVE
}
