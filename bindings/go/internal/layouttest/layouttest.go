// Package layouttest holds what C says about the structs and codes that the tests of package
// signalbox use in Go. It exists because a test file cannot use cgo.
package layouttest

/*
#cgo CFLAGS: -I${SRCDIR}/../../../../include
#cgo LDFLAGS: -L${SRCDIR}/../../../../build/dev/src -lsignalbox
#cgo LDFLAGS: -Wl,-rpath,${SRCDIR}/../../../../build/dev/src
#include <stdlib.h>

#include "signalbox/signalbox.h"

typedef struct {
  uint8_t a;
  uint64_t b;
  int8_t c;
  int16_t d;
  float e;
  bool f;
  double g;
  uint16_t h[3];
  char i[5];
  int32_t j;
  uint32_t k;
  int64_t l;
} Scalars;
SBX_DESCRIBE(Scalars, a, b, c, d, e, f, g, h, i, j, k, l)

static const char* scalars(void) { return sbx_type_Scalars().description; }

typedef struct {
  uint8_t id;
  double xy[2];
} Corner;
SBX_DESCRIBE(Corner, id, xy)

typedef struct {
  bool flag;
  Corner corners[3];
  int16_t matrix[2][3];
} Nested;

// Nested structs and a second dimension are beyond SBX_DESCRIBE in C: the fields by hand.
static size_t nested(char* out, size_t capacity) {
  const sbx_type corner = sbx_type_Corner();
  const sbx_field fields[] = {
      {"flag", "bool", offsetof(Nested, flag), sizeof(bool), sizeof(bool)},
      {"corners", corner.description, offsetof(Nested, corners), sizeof(Corner[3]), sizeof(Corner)},
      {"matrix", "i16[3]", offsetof(Nested, matrix), sizeof(int16_t[2][3]), sizeof(int16_t[3])},
  };
  return sbx_describe(fields, 3, sizeof(Nested), 1, out, capacity);
}
*/
import "C"

import "unsafe"

// Scalars is C's description of one field of each kind.
func Scalars() string { return C.GoString(C.scalars()) }

// Nested is C's description of a struct with an array of structs and a tail.
func Nested() string {
	const capacity = 1024
	out := (*C.char)(C.malloc(capacity))
	defer C.free(unsafe.Pointer(out))
	return C.GoStringN(out, C.int(C.nested(out, capacity)))
}

// Check reports how the library reads a description; problem is empty if it can.
func Check(description string) (fixedBytes uint64, hasTail bool, problem string) {
	text := C.CString(description)
	defer C.free(unsafe.Pointer(text))
	var size C.uint64_t
	var tail C.int
	var failure C.sbx_error
	if C.sbx_description_check(text, &size, &tail, &failure) != C.SBX_OK {
		return 0, false, C.GoString(&failure.text[0])
	}
	return uint64(size), tail != 0, ""
}

// CodeName is the library's name of a code.
func CodeName(code int) string { return C.GoString(C.sbx_code_name(C.int(code))) }
