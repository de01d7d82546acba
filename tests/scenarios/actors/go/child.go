package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"signalbox.dev/go/signalbox"
)

// startChild is what Go has for `fork PATH`. It cannot fork and go on, for of all the threads that
// its runtime needs the child would have one; what users do is to start the program anew and tell
// it what to open. Sets are all that the rows of bindings hand down.
func startChild(said words) string {
	arguments := []string{said[0]}
	for name, set := range sets {
		arguments = append(arguments, name+"="+strconv.Itoa(set.ID()))
	}
	child := exec.Command("/proc/self/exe", arguments...)
	if err := child.Start(); err != nil {
		return "misread " + err.Error()
	}
	pid := child.Process.Pid
	child.Process.Release() // the engine sees to its end
	return ok(pid)
}

// beginAsChild talks to whoever listens at the path from now on, tells who it is, and opens what
// its parent had open.
func beginAsChild(path string, held []string) {
	for _, one := range held {
		name, id, _ := strings.Cut(one, "=")
		made, err := signalbox.AttachSemaphoreSet(words{id}.number(0))
		if said := keep(sets, name, made, err); err != nil {
			panic(said)
		}
	}
	if err := talkTo(path); err != nil {
		panic(err)
	}
	writeLine(ok(os.Getpid()))
}

func talkTo(path string) error {
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	if err := syscall.Connect(socket, &syscall.SockaddrUnix{Name: path}); err != nil {
		return err
	}
	for _, end := range []int{syscall.Stdin, syscall.Stdout} {
		if err := syscall.Dup3(socket, end, 0); err != nil {
			return err
		}
	}
	return nil
}
