package signalbox_test

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"signalbox.dev/go/signalbox"
	"signalbox.dev/go/signalbox/internal/layouttest"
)

func TestCodesAreThoseOfTheLibrary(t *testing.T) {
	for code := signalbox.ErrBadArgument; code <= signalbox.ErrWouldDeadlock; code++ {
		if code.String() != layouttest.CodeName(int(code)) {
			t.Errorf("%d is %s here and %s there", code, code, layouttest.CodeName(int(code)))
		}
	}
	if layouttest.CodeName(int(signalbox.ErrWouldDeadlock)+1) != "unknown" {
		t.Error("the library has a code that this package lacks")
	}
	if text := signalbox.Code(99).String(); text != "code 99" {
		t.Error(text)
	}
}

func TestAnErrorIsItsCodeAndItsErrno(t *testing.T) {
	var err error = &signalbox.Error{Code: signalbox.ErrPermissionDenied, Errno: syscall.EACCES,
		Text: "cannot open topic \"a\": permission_denied."}
	for _, target := range []error{signalbox.ErrPermissionDenied, syscall.EACCES, fs.ErrPermission} {
		expectError(t, err, target, `signalbox: cannot open topic "a"`)
	}
	if errors.Is(err, signalbox.ErrNotFound) || errors.Is(err, syscall.ENOENT) {
		t.Error("it is no other error")
	}
	var code signalbox.Code
	if !errors.As(err, &code) || code != signalbox.ErrPermissionDenied {
		t.Error(code)
	}
	if text := (&signalbox.Error{Code: signalbox.ErrDamaged}).Error(); text != "signalbox: damaged" {
		t.Error(text)
	}
}

// A system call that fails keeps its errno all the way up.
func TestAFailedSystemCallIsNamed(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SIGNALBOX_DIR", file)
	_, err := signalbox.OpenPublisher[Pose](topicOf(t), signalbox.PublisherOptions{})
	expectError(t, err, syscall.ENOTDIR, file)
}
