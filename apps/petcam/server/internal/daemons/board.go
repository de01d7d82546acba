// Package daemons knows how the camera and the detector are, and says so when it changes.
//
// A daemon reports about itself once a second. It is missing when its topic has no live publisher,
// which the kernel tells us however it died, or when its last report is too old.
package daemons

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"signalbox.dev/petcam/server/internal/petcam"
)

// Names of the daemons that report.
const (
	Camera   = "camera"
	Detector = "detector"
	Server   = "server"
)

const (
	// overdueAfter is when a daemon that reports each second is asked for, by its publisher.
	overdueAfter = 1250 * time.Millisecond
	// missingAfter is when it counts as missing though its process lives.
	missingAfter = 2 * time.Second
	// missingCheck bounds the sleep while it is missing; its next report ends the sleep anyway.
	missingCheck = 10 * time.Second
	openRetryMax = 2 * time.Second
	// noteEvery bounds how often a note alone changes: it may hold a number that always does.
	noteEvery = 5 * time.Second
	// firstReport is how long we wait for the last report of a daemon that runs already.
	firstReport = 300 * time.Millisecond
)

// unknown is a daemon nobody has looked at yet; clients are never told of it.
const unknown petcam.State = ""

// Status is what is told to clients when it changes.
type Status struct {
	State petcam.State `json:"state"`
	Note  string       `json:"note,omitempty"`
	Pid   uint32       `json:"pid,omitempty"`
	Since int64        `json:"since"` // milliseconds since 1970: when the state began
}

// Board keeps the last report of each daemon.
type Board struct {
	log      *slog.Logger
	nowNs    func() int64
	onChange func()

	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	status Status
	told   time.Time    // when the status last changed
	stats  petcam.Stats // zero until the first report
	usage  usage
}

// NewBoard calls onChange, from any goroutine, after the status of a daemon changed.
func NewBoard(log *slog.Logger, onChange func()) *Board {
	b := &Board{
		log: log, nowNs: petcam.MonotonicNs, onChange: onChange, entries: map[string]*entry{},
	}
	for _, name := range []string{Camera, Detector} {
		b.entries[name] = &entry{status: Status{State: unknown, Since: time.Now().UnixMilli()}}
	}
	return b
}

// Follow keeps the board up to date for one daemon until the context ends.
func (b *Board) Follow(ctx context.Context, name string,
	open func() (petcam.Source[petcam.Stats], error)) {
	for ctx.Err() == nil {
		source, err := petcam.OpenUntil(ctx, openRetryMax, open, func(err error) {
			b.log.Error("cannot follow a daemon; trying again", "daemon", name, "reason", err)
			b.set(name, petcam.Missing, err.Error())
		})
		if err != nil {
			return
		}
		b.follow(ctx, name, source)
		source.Close()
	}
}

func (b *Board) follow(ctx context.Context, name string, source petcam.Source[petcam.Stats]) {
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, b.nextCheck(name))
		stats, err := source.Receive(wait)
		cancel()
		switch {
		case err == nil:
			b.report(name, stats)
		case ctx.Err() != nil:
			return
		case !errors.Is(err, petcam.ErrDeadline):
			b.log.Error("lost the reports of a daemon; subscribing again", "daemon", name,
				"reason", err)
			return
		}
		b.judge(name, source.Publishers())
	}
}

// nextCheck is how long the next report may take before the daemon is judged without it.
func (b *Board) nextCheck(name string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[name]
	switch e.status.State {
	case unknown:
		return firstReport
	case petcam.Missing:
		return missingCheck
	}
	age := time.Duration(b.nowNs() - int64(e.stats.UpdatedNs))
	if age < overdueAfter {
		return overdueAfter - age
	}
	// It is overdue, but its publisher was alive when we looked: look again soon.
	return 250 * time.Millisecond
}

func (b *Board) report(name string, stats petcam.Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[name]
	e.usage.take(stats)
	e.stats = stats
}

// judge sets the state from the last report, its age and whether the publisher is alive.
func (b *Board) judge(name string, publishers int) {
	b.mu.Lock()
	stats := b.entries[name].stats
	b.mu.Unlock()
	age := time.Duration(b.nowNs() - int64(stats.UpdatedNs))
	switch {
	case publishers == 0:
		b.set(name, petcam.Missing, "its process is gone")
	case stats.UpdatedNs == 0:
		b.set(name, petcam.Missing, "it has not reported yet")
	case age > missingAfter:
		b.set(name, petcam.Missing, "its process is there but does not report")
	default:
		b.set(name, stats.State, stats.Note)
	}
}

func (b *Board) set(name string, state petcam.State, note string) {
	b.mu.Lock()
	e := b.entries[name]
	next := Status{State: state, Note: note, Pid: e.stats.Pid, Since: e.status.Since}
	if state == petcam.Missing {
		next.Pid = 0
	}
	if state != e.status.State {
		next.Since = time.Now().UnixMilli()
		b.log.Info("daemon changed", "daemon", name, "state", state, "note", note)
	} else if next.Pid == e.status.Pid && time.Since(e.told) < noteEvery {
		next.Note = e.status.Note
	}
	changed := next != e.status
	if changed {
		e.told = time.Now()
	}
	e.status = next
	b.mu.Unlock()
	if changed {
		b.onChange()
	}
}

// Status of every daemon that reports; false while one of them has not been looked at yet.
func (b *Board) Status() (map[string]Status, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out, complete := map[string]Status{}, true
	for name, e := range b.entries {
		out[name] = e.status
		complete = complete && e.status.State != unknown
	}
	return out, complete
}

// Report is a daemon's status with the numbers that change all the time.
type Report struct {
	Status
	AgeMs     int64        `json:"age_ms"` // since it last reported; -1: never
	FPS       float64      `json:"fps"`
	CPU       float64      `json:"cpu"`      // percent of one core, all of it
	WorkCPU   float64      `json:"work_cpu"` // of that, rendering or detecting
	Wakes     float64      `json:"wakes"`    // a second
	Encodes   float64      `json:"encodes"`  // JPEGs a second
	LatencyMs float64      `json:"latency"`  // mean, published by the camera -> in hand here
	Dropped   uint64       `json:"dropped"`  // since it started
	Stats     petcam.Stats `json:"-"`
}

// Reports of every daemon that reports.
func (b *Board) Reports() map[string]Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]Report{}
	for name, e := range b.entries {
		r := Report{Status: e.status, AgeMs: -1, Stats: e.stats, Dropped: e.stats.Dropped}
		if e.stats.UpdatedNs != 0 {
			age := time.Duration(b.nowNs() - int64(e.stats.UpdatedNs))
			r.AgeMs = max(0, age.Milliseconds())
		}
		if r.State == unknown {
			r.State = petcam.Missing
		}
		if r.State != petcam.Missing {
			e.usage.fill(&r)
		}
		out[name] = r
	}
	return out
}
