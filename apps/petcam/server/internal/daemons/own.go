package daemons

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"signalbox.dev/petcam/server/internal/petcam"
)

// Own is the server's account of itself, kept like the reports of the others.
type Own struct {
	started   time.Time
	startedNs int64

	ready, timedOut, interrupted atomic.Uint64

	mu    sync.Mutex
	usage usage
}

// NewOwn begins to count.
func NewOwn() *Own { return &Own{started: time.Now(), startedNs: petcam.MonotonicNs()} }

// Started is when this process began.
func (o *Own) Started() time.Time { return o.started }

// Stats are the counters of this process now.
func (o *Own) Stats() petcam.Stats {
	return petcam.Stats{
		Daemon: Server, Pid: uint32(os.Getpid()), State: petcam.Running,
		StartedNs: uint64(o.startedNs), UpdatedNs: uint64(petcam.MonotonicNs()),
		Wakes: petcam.Wakes{
			Ready: o.ready.Load(), TimedOut: o.timedOut.Load(), Interrupted: o.interrupted.Load(),
		},
		TotalCPUNs: processCPUNs(),
	}
}

// Report is the status and the rates since the last call that was at least a second ago.
func (o *Own) Report() Report {
	stats := o.Stats()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.usage.take(stats)
	r := Report{Status: o.Status(), Stats: stats}
	o.usage.fill(&r)
	return r
}

// Status of this process.
func (o *Own) Status() Status {
	return Status{
		State: petcam.Running, Pid: uint32(os.Getpid()), Since: o.started.UnixMilli(),
	}
}

func processCPUNs() uint64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now) != nil {
		return 0
	}
	return uint64(now.Nano())
}

// CountWakes makes a source count why its waits end.
func CountWakes[T any](o *Own,
	open func() (petcam.Source[T], error)) func() (petcam.Source[T], error) {
	return func() (petcam.Source[T], error) {
		source, err := open()
		if err != nil {
			return nil, err
		}
		return &counted[T]{Source: source, own: o}, nil
	}
}

type counted[T any] struct {
	petcam.Source[T]
	own *Own
}

func (c *counted[T]) Receive(ctx context.Context) (T, error) {
	message, err := c.Source.Receive(ctx)
	switch {
	case err == nil:
		c.own.ready.Add(1)
	case errors.Is(err, petcam.ErrDeadline):
		c.own.timedOut.Add(1)
	default:
		c.own.interrupted.Add(1)
	}
	return message, err
}
