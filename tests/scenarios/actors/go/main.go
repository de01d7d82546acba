// scenario_actor_go is the actor that uses the Go package: one operation a line, one answer for
// each. tests/scenarios/README.md tells the protocol.
package main

import (
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

const lifeMax = 10 * time.Minute

// An operation answers "ok" with values behind it, an errno's name, or why Go has no such thing.
type operation func(said words) string

// Every call is made by the thread that reads the lines: name spaces belong to threads, and the
// engine takes a thread that has taken a line and sleeps for one that sleeps in the operation.
func init() { runtime.LockOSThread() }

func main() {
	debug.SetGCPercent(-1) // nobody works beside the operation
	time.AfterFunc(lifeMax, func() { os.Exit(3) })
	if len(os.Args) > 1 {
		beginAsChild(os.Args[1], os.Args[2:])
	} else {
		endWithParent()
	}
	operations := map[string]operation{}
	for _, family := range []map[string]operation{semaphoreSetOperations, posixSemaphoreOperations,
		sysvQueueOperations, posixQueueOperations, surroundings} {
		maps.Copy(operations, family)
	}
	for {
		line, isWhole := readLine()
		if !isWhole {
			return
		}
		if !writeLine(perform(operations, line)) {
			os.Exit(1)
		}
	}
}

func perform(operations map[string]operation, line string) string {
	said := strings.Fields(line)
	if len(said) == 0 || operations[said[0]] == nil {
		return "unoffered"
	}
	return operations[said[0]](said[1:])
}

// readLine reads without Go's poller, so that the thread sleeps in the kernel.
func readLine() (line string, isWhole bool) {
	text, next := []byte{}, []byte{0}
	for {
		count, err := syscall.Read(syscall.Stdin, next)
		switch {
		case err == syscall.EINTR:
		case err != nil || count == 0:
			return "", false
		case next[0] == '\n':
			return string(text), true
		default:
			text = append(text, next[0])
		}
	}
}

func writeLine(text string) bool {
	rest := []byte(text + "\n")
	for len(rest) > 0 {
		count, err := syscall.Write(syscall.Stdout, rest)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return false
		}
		rest = rest[count:]
	}
	return true
}

func endWithParent() {
	const setParentDeathSignal = 1
	syscall.RawSyscall(syscall.SYS_PRCTL, setParentDeathSignal, uintptr(syscall.SIGKILL), 0)
}
