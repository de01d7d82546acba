package statedir

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestSecondServerIsRefusedByName(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "deep", "state")
	first, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(folder)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("second: %v, want in use, with the pid of the first", err)
	}
	first.Close()
	second, err := Open(folder)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	second.Close()
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v, want 0700", info.Mode(), err)
	}
}

func TestFolderOfSomebodyElseIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a folder that belongs to somebody else")
	}
	trap := filepath.Join(t.TempDir(), "petcam-0")
	if err := os.MkdirAll(filepath.Join(trap, "default"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(trap, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(trap, "default")); err == nil ||
		!strings.Contains(err.Error(), "12345") {
		t.Errorf("%v, want a refusal that names the owner", err)
	}
}

func TestDefaultPlaceDependsOnTheDomain(t *testing.T) {
	own := "/tmp/petcam-" + strconv.Itoa(os.Getuid())
	for _, test := range []struct{ domain, topics, runtime, want string }{
		{"", "", "", own + "/default"},
		{"lab", "", "", own + "/lab"},
		{"lab", "", "/run/user/7", "/run/user/7/petcam/lab"},
		{"", "", "/run/user/7", "/run/user/7/petcam/default"},
	} {
		if got := Default(test.domain, test.topics, test.runtime); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
	one, other := Default("", "/dev/shm/a", ""), Default("", "/dev/shm/b", "")
	if one == other || one != Default("", "/dev/shm/a/", "") {
		t.Errorf("folders of topics share a place, or one has two: %s, %s", one, other)
	}
}
