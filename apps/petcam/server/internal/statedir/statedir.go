// Package statedir is the folder in which one server keeps what must survive its own death.
package statedir

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrInUse: another server works in the folder.
var ErrInUse = errors.New("state folder in use")

// Dir is held by this process alone until Close.
type Dir struct {
	Path string
	lock *os.File
}

// Default is $XDG_RUNTIME_DIR/petcam/<domain>, else /tmp/petcam-<uid>/<domain>. Topics in a folder
// of their own (SIGNALBOX_DIR) count as a domain of their own.
func Default(domain, topics, runtimeDir string) string {
	switch {
	case domain != "":
	case topics != "":
		sum := fnv.New32a()
		sum.Write([]byte(filepath.Clean(topics)))
		domain = fmt.Sprintf("dir-%08x", sum.Sum32())
	default:
		domain = "default"
	}
	if runtimeDir != "" {
		return filepath.Join(runtimeDir, "petcam", domain)
	}
	return filepath.Join("/tmp", "petcam-"+strconv.Itoa(os.Getuid()), domain)
}

// Open makes the folder, readable by its owner only, and locks it.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state folder: %w. Choose another with --state-dir", err)
	}
	if err := ownedByUs(path); err != nil {
		return nil, err
	}
	name := filepath.Join(path, "lock")
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot use the state folder: %w. Choose another with --state-dir", err)
	}
	// The kernel gives the lock back however the process ends.
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer lock.Close()
		return nil, fmt.Errorf("%w: %s belongs to the running petcam-server with pid %s. Stop that "+
			"one, or give this one another folder with --state-dir", ErrInUse, path, holder(lock))
	}
	if err := lock.Truncate(0); err == nil {
		_, _ = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0) // for people only
	}
	return &Dir{Path: path, lock: lock}, nil
}

// Close lets another server use the folder.
func (d *Dir) Close() { d.lock.Close() }

func holder(lock *os.File) string {
	var pid [20]byte
	n, _ := lock.ReadAt(pid[:], 0)
	if n == 0 {
		return "unknown"
	}
	return string(pid[:n])
}

// ownedByUs: /tmp is open to everyone, so the folder, or the one above it, may be a trap.
func ownedByUs(path string) error {
	for _, folder := range []string{path, filepath.Dir(path)} {
		info, err := os.Lstat(folder)
		if err != nil {
			return err
		}
		owner, known := info.Sys().(*syscall.Stat_t)
		sticky := info.Mode()&os.ModeSticky != 0
		if known && int(owner.Uid) != os.Getuid() && !(folder != path && (sticky || owner.Uid == 0)) {
			return fmt.Errorf("the state folder %s belongs to uid %d, not to you (uid %d). Remove "+
				"it, or choose another with --state-dir", folder, owner.Uid, os.Getuid())
		}
	}
	return nil
}
