package signalbox

import (
	"context"
	"errors"
	"strconv"
	"syscall"
)

// Code says in one word what went wrong. Each constant is at once the value of [Error.Code] and a
// sentinel for [errors.Is]. The numbers are those of sbx_code in signalbox.h and never change.
type Code int

const (
	ErrBadArgument      Code = 1  // a parameter is outside its documented range
	ErrBadName          Code = 2  // a topic or domain name has a forbidden character or length
	ErrPermissionDenied Code = 3  // the kernel refused access to a file or call
	ErrNotFound         Code = 4  // the object does not exist
	ErrAlreadyExists    Code = 5  // the object exists and was asked to be new
	ErrTypeMismatch     Code = 6  // both sides describe the message differently
	ErrLayoutMismatch   Code = 7  // the segment was written by an older or newer shared layout
	ErrDamaged          Code = 8  // the segment is truncated or breaks its own invariants
	ErrNoSpace          Code = 9  // the file system or memory limit cannot hold what was asked for
	ErrLimitReached     Code = 10 // a documented limit is used up
	ErrTooLarge         Code = 11 // one message is larger than the topic allows
	ErrTimedOut         Code = 12 // the deadline passed and nothing was changed
	ErrWouldBlock       Code = 13 // it cannot be done at once and the call was asked not to wait
	ErrInterrupted      Code = 14 // the wait was cut short: here, the context was cancelled
	ErrClosed           Code = 15 // the publisher or subscriber is closed
	ErrAbandoned        Code = 16 // the peer died in the middle of what was asked
	ErrWrongProcess     Code = 17 // the object belongs to the parent of a fork
	ErrNotSupported     Code = 18 // this kernel or file system lacks what is needed
	ErrOutOfMemory      Code = 19 // memory or address space is used up
	ErrSystem           Code = 20 // any other errno: see Error.Errno
	ErrEvicted          Code = 21 // this reliable subscriber was too slow and was left behind
	ErrRemoved          Code = 22 // somebody removed the object while it was used or waited for
	ErrOutOfRange       Code = 23 // a count would leave the range that its object can hold
	ErrWouldDeadlock    Code = 24 // waiting would never end: this thread holds what it waits for
)

var codeNames = [...]string{
	0:                   "ok",
	ErrBadArgument:      "bad_argument",
	ErrBadName:          "bad_name",
	ErrPermissionDenied: "permission_denied",
	ErrNotFound:         "not_found",
	ErrAlreadyExists:    "already_exists",
	ErrTypeMismatch:     "type_mismatch",
	ErrLayoutMismatch:   "layout_mismatch",
	ErrDamaged:          "damaged",
	ErrNoSpace:          "no_space",
	ErrLimitReached:     "limit_reached",
	ErrTooLarge:         "too_large",
	ErrTimedOut:         "timed_out",
	ErrWouldBlock:       "would_block",
	ErrInterrupted:      "interrupted",
	ErrClosed:           "closed",
	ErrAbandoned:        "abandoned",
	ErrWrongProcess:     "wrong_process",
	ErrNotSupported:     "not_supported",
	ErrOutOfMemory:      "out_of_memory",
	ErrSystem:           "system",
	ErrEvicted:          "evicted",
	ErrRemoved:          "removed",
	ErrOutOfRange:       "out_of_range",
	ErrWouldDeadlock:    "would_deadlock",
}

// String is the code's name as every text of Signalbox writes it, for example "type_mismatch".
func (c Code) String() string {
	if c < 0 || int(c) >= len(codeNames) {
		return "code " + strconv.Itoa(int(c))
	}
	return codeNames[c]
}

// Error makes a Code usable as the target of [errors.Is].
func (c Code) Error() string { return "signalbox: " + c.String() }

// Error is one failure, complete enough to act on. All errors of this package are of this type.
//
// errors.Is finds the code (signalbox.ErrTypeMismatch), the errno (syscall.EACCES, and with it
// fs.ErrPermission), and for calls that take a context what ended it (context.Canceled).
type Error struct {
	Code  Code
	Errno syscall.Errno // 0 when no system call is to blame
	Text  string        // a sentence: what was tried on which object, what was found, what to do
	cause error         // the context's error, where a context ended the call
}

// Error is the sentence for people.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Code.Error()
	}
	return "signalbox: " + e.Text
}

// Unwrap lists what errors.Is and errors.As may look for.
func (e *Error) Unwrap() []error {
	parts := []error{e.Code}
	if e.Errno != 0 {
		parts = append(parts, e.Errno)
	}
	if e.cause != nil {
		parts = append(parts, e.cause)
	}
	return parts
}

func badArgument(text string) *Error { return &Error{Code: ErrBadArgument, Text: text} }

// outOfRange refuses a number that is not within low and high.
func outOfRange(what string, n, low, high int) error {
	if low <= n && n <= high {
		return nil
	}
	return badArgument(what + " is " + strconv.Itoa(n) + ". Use a number from " + strconv.Itoa(low) +
		" to " + strconv.Itoa(high))
}

func closedError(action, topic string) *Error {
	return &Error{
		Code: ErrClosed,
		Text: "cannot " + action + " topic " + strconv.Quote(topic) +
			": this handle is closed. Open a new one",
	}
}

// contextError dresses the end of a context: a deadline is timed_out, a cancellation interrupted.
func contextError(action, topic string, ctx context.Context) *Error {
	return contextErrorOf(action+" topic "+strconv.Quote(topic), ctx)
}

// contextErrorOf is contextError for what is no topic: "wait for semaphore \"/printer\"".
func contextErrorOf(what string, ctx context.Context) *Error {
	cause := context.Cause(ctx)
	code := ErrInterrupted
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = ErrTimedOut
	}
	text := "cannot " + what + ": " + code.String() + " (" + cause.Error() + ")"
	if !errors.Is(cause, ctx.Err()) {
		cause = errors.Join(cause, ctx.Err())
	}
	return &Error{Code: code, Text: text, cause: cause}
}
