package petcam

import (
	"time"

	"golang.org/x/sys/unix"
)

// Go reads CLOCK_MONOTONIC without a system call but shows it only as differences, so one reading
// of the clock itself says where they begin.
var (
	clockStart   = time.Now()
	clockStartNs = readClock()
)

func readClock() int64 {
	var now unix.Timespec
	// The call cannot fail for a clock that exists on every Linux.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano()
}

// MonotonicNs is CLOCK_MONOTONIC now, the clock of every time in a topic.
func MonotonicNs() int64 { return clockStartNs + int64(time.Since(clockStart)) }
