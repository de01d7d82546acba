package petcam

import "golang.org/x/sys/unix"

// MonotonicNs is CLOCK_MONOTONIC now, the clock of every time in a topic.
func MonotonicNs() int64 {
	var now unix.Timespec
	// The call cannot fail for a clock that exists on every Linux.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano()
}
