package signalbox

/*
#cgo CFLAGS: -D_GNU_SOURCE -I${SRCDIR}/../../include
#cgo LDFLAGS: -L${SRCDIR}/../../build/dev/src -lsignalbox
#cgo LDFLAGS: -Wl,-rpath,${SRCDIR}/../../build/dev/src
#cgo nocallback sbxgo_open_publisher
#cgo nocallback sbxgo_open_subscriber
#cgo nocallback sbx_now_ns
#include "native.h"
*/
import "C"

import (
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// MonotonicNow reads the clock of all time stamps in Signalbox: nanoseconds of CLOCK_MONOTONIC, the
// same in every process of the machine. (The monotonic reading inside a time.Time starts anew in
// each process.)
func MonotonicNow() int64 { return int64(C.sbx_now_ns()) }

// Version is the version of libsignalbox.so in use, as "major.minor.patch".
func Version() string { return C.GoString(C.sbx_version()) }

// answer is where the C side of one handle leaves its results. It lies in C memory, so that no call
// has to hand over a pointer to Go's. Guarded by the handle's mutex.
type answer struct{ c *C.sbxgo_answer }

func newAnswer() answer {
	return answer{(*C.sbxgo_answer)(C.calloc(1, C.sizeof_sbxgo_answer))}
}

func (a answer) free() { C.free(unsafe.Pointer(a.c)) }

// failure reads the error that a call left behind when it answered `code`.
func (a answer) failure(code C.int) *Error {
	return &Error{
		Code:  Code(code),
		Errno: syscall.Errno(a.c.error.sys_errno),
		Text:  C.GoString(&a.c.error.text[0]),
	}
}

// openStrings are the C strings that every open needs; the library copies what it keeps.
type openStrings struct {
	topic, typeName, description, domain *C.char
}

func newOpenStrings(topic string, t reflect.Type, description,
	domain string) (openStrings, *Error) {
	for _, name := range []string{topic, domain} {
		// C would read only as far as the 0 and open something else.
		if strings.IndexByte(name, 0) >= 0 {
			return openStrings{}, &Error{Code: ErrBadName, Text: "cannot use the name " +
				strconv.Quote(name) + ": it holds a 0 byte. Use letters, digits, '_', '-' and '.'"}
		}
	}
	s := openStrings{
		topic:       C.CString(topic),
		typeName:    C.CString(typeName(t)),
		description: C.CString(description),
	}
	if domain != "" {
		s.domain = C.CString(domain)
	}
	return s, nil
}

func (s openStrings) free() {
	for _, text := range []*C.char{s.topic, s.typeName, s.description, s.domain} {
		C.free(unsafe.Pointer(text))
	}
}
