package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"signalbox.dev/go/signalbox"
)

// words are what stands behind an operation's name.
type words []string

func (w words) number(index int) int {
	value, err := strconv.Atoi(w[index])
	if err != nil {
		panic(err)
	}
	return value
}

// mode is 0, the usual one, where there is none.
func (w words) mode(index int) uint32 {
	if index >= len(w) {
		return 0
	}
	mode, err := strconv.ParseUint(w[index], 8, 32)
	if err != nil {
		panic(err)
	}
	return uint32(mode)
}

func (w words) key(index int) int32 {
	if w[index] == "private" {
		return signalbox.PrivateKey
	}
	return int32(w.number(index))
}

// payload is the bytes that a text stands for: x*16 is sixteen x, and - is no byte at all.
func (w words) payload(index int) []byte {
	word := w[index]
	if word == "-" {
		return nil
	}
	if len(word) > 2 && word[1] == '*' {
		count, err := strconv.Atoi(word[2:])
		if err != nil {
			panic(err)
		}
		return bytes.Repeat([]byte{word[0]}, count)
	}
	return []byte(word)
}

// until is the context of a call that ends after a span of time, as it does when a signal comes
// that is handled; "past" is one that has ended.
func (w words) until(index int) (context.Context, context.CancelFunc) {
	if w[index] == "past" {
		return context.WithDeadline(whileUndisturbed(), time.Unix(0, 0))
	}
	span, err := time.ParseDuration(w[index])
	if err != nil {
		panic(err)
	}
	return context.WithTimeout(whileUndisturbed(), span)
}

func wordOf(data []byte) string {
	switch {
	case len(data) == 0:
		return "-"
	case len(data) > 8 && len(bytes.Trim(data, string(data[:1]))) == 0:
		return fmt.Sprintf("%c*%d", data[0], len(data))
	}
	return string(data)
}

func ok(values ...any) string {
	return strings.TrimRight("ok "+fmt.Sprintln(values...), " \n")
}

func notInLanguage(why string) operation {
	return func(words) string { return "not-in-language " + why }
}

// The errors that rows tell, by their names.
var errnoNames = map[syscall.Errno]string{
	syscall.E2BIG: "E2BIG", syscall.EACCES: "EACCES", syscall.EAGAIN: "EAGAIN",
	syscall.EBADF: "EBADF", syscall.EBUSY: "EBUSY", syscall.EEXIST: "EEXIST",
	syscall.EFBIG: "EFBIG", syscall.EIDRM: "EIDRM", syscall.EINTR: "EINTR",
	syscall.EINVAL: "EINVAL", syscall.EMSGSIZE: "EMSGSIZE", syscall.ENOENT: "ENOENT",
	syscall.ENOMEM: "ENOMEM", syscall.ENOMSG: "ENOMSG", syscall.ENOSPC: "ENOSPC",
	syscall.EOVERFLOW: "EOVERFLOW", syscall.EPERM: "EPERM", syscall.EPIPE: "EPIPE",
	syscall.ERANGE: "ERANGE", syscall.ETIMEDOUT: "ETIMEDOUT",
}

func errnoName(errno syscall.Errno) string {
	if name, known := errnoNames[errno]; known {
		return name
	}
	return fmt.Sprintf("errno-%d", int(errno))
}

// What an error tells that no call is to blame for, because ours saw it coming, or a context ended
// it: our_errno.hpp.
var errnoOfCode = map[signalbox.Code]syscall.Errno{
	signalbox.ErrWouldBlock:    syscall.EAGAIN,
	signalbox.ErrTimedOut:      syscall.ETIMEDOUT,
	signalbox.ErrInterrupted:   syscall.EINTR,
	signalbox.ErrBadArgument:   syscall.EINVAL,
	signalbox.ErrBadName:       syscall.EINVAL,
	signalbox.ErrNotFound:      syscall.ENOENT,
	signalbox.ErrAlreadyExists: syscall.EEXIST,
	signalbox.ErrRemoved:       syscall.EIDRM,
}

// told is "ok", or the errno's name.
func told(err error) string {
	if err == nil {
		return ok()
	}
	var failure *signalbox.Error
	if !errors.As(err, &failure) {
		return "misread " + err.Error()
	}
	if failure.Errno != 0 {
		return errnoName(failure.Errno)
	}
	return errnoName(errnoOfCode[failure.Code])
}

// toldValue is "ok" with the value, or the errno's name.
func toldValue[T any](value T, err error) string {
	if err != nil {
		return told(err)
	}
	return ok(value)
}

// toldIfDone is for a call that never waits; ifNot is the kernel's word for what it answers then.
func toldIfDone(done bool, err error, ifNot syscall.Errno) string {
	if err == nil && !done {
		return errnoName(ifNot)
	}
	return told(err)
}

// keep keeps a handle under its name in the scenario, if there is one.
func keep[T any](all map[string]*T, name string, made *T, err error) string {
	if err == nil {
		all[name] = made
	}
	return told(err)
}
