package daemons

// Goal: a daemon is called missing when it is, and only then.
// Method: a scripted source; the clock is pretended, so no test waits for real time to pass.

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/petcam/server/internal/petcam"
)

// script answers Receive with its steps, one after the other, then waits for the end.
type script struct {
	steps chan step
	alive atomic.Int32
}

type step struct {
	stats petcam.Stats
	err   error
}

func (s *script) Receive(ctx context.Context) (petcam.Stats, error) {
	select {
	case next := <-s.steps:
		return next.stats, next.err
	case <-ctx.Done():
		if ctx.Err() == context.DeadlineExceeded {
			return petcam.Stats{}, petcam.ErrDeadline
		}
		return petcam.Stats{}, ctx.Err()
	}
}

func (s *script) Publishers() int { return int(s.alive.Load()) }
func (s *script) Lost() uint64    { return 0 }
func (s *script) Close()          {}

type scene struct {
	t       *testing.T
	board   *Board
	source  *script
	nowNs   atomic.Int64
	changes chan struct{}
}

func setUp(t *testing.T) *scene {
	s := &scene{t: t, source: &script{steps: make(chan step)}, changes: make(chan struct{}, 100)}
	s.nowNs.Store(int64(time.Hour))
	s.board = NewBoard(slog.New(slog.NewTextHandler(io.Discard, nil)),
		func() { s.changes <- struct{}{} })
	s.board.nowNs = s.nowNs.Load
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		s.board.Follow(ctx, Camera, func() (petcam.Source[petcam.Stats], error) {
			return s.source, nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return s
}

func (s *scene) status() Status {
	all, _ := s.board.Status()
	return all[Camera]
}

func (s *scene) step(stats petcam.Stats, err error) {
	s.t.Helper()
	select {
	case s.source.steps <- step{stats, err}:
	case <-time.After(20 * time.Second):
		s.t.Fatal("nobody listens to the reports")
	}
}

// expect waits until the state is what it must be.
func (s *scene) expect(state petcam.State) {
	s.t.Helper()
	watchdog := time.After(20 * time.Second)
	for s.status().State != state {
		select {
		case <-s.changes:
		case <-watchdog:
			s.t.Fatalf("state is %q, want %q", s.status().State, state)
		}
	}
}

func (s *scene) report(state petcam.State) petcam.Stats {
	return petcam.Stats{Daemon: Camera, Pid: 7, State: state, StartedNs: 1,
		UpdatedNs: uint64(s.nowNs.Load())}
}

func TestReportsAreBelieved(t *testing.T) {
	s := setUp(t)
	s.source.alive.Store(1)
	for _, state := range []petcam.State{petcam.Starting, petcam.Running, petcam.Degraded,
		petcam.Stopping} {
		s.step(s.report(state), nil)
		s.expect(state)
	}
	if pid := s.status().Pid; pid != 7 {
		t.Errorf("pid %d, want 7", pid)
	}
}

func TestDaemonWithoutPublisherIsMissingAtOnce(t *testing.T) {
	s := setUp(t)
	s.source.alive.Store(1)
	s.step(s.report(petcam.Running), nil)
	s.expect(petcam.Running)
	s.source.alive.Store(0)
	s.step(petcam.Stats{}, petcam.ErrDeadline)
	s.expect(petcam.Missing)
	if pid := s.status().Pid; pid != 0 {
		t.Errorf("the missing daemon still has pid %d", pid)
	}
	s.source.alive.Store(1)
	s.step(s.report(petcam.Running), nil)
	s.expect(petcam.Running)
}

func TestLastWordOfADeadDaemonDoesNotBringItBack(t *testing.T) {
	s := setUp(t)
	// The topic keeps the last value after its publisher has died.
	s.step(s.report(petcam.Running), nil)
	s.expect(petcam.Missing)
}

func TestSilentDaemonIsMissingAfterTwoSeconds(t *testing.T) {
	s := setUp(t)
	s.source.alive.Store(1)
	s.step(s.report(petcam.Running), nil)
	s.expect(petcam.Running)
	s.nowNs.Add((1900 * time.Millisecond).Nanoseconds())
	s.step(petcam.Stats{}, petcam.ErrDeadline)
	if state := s.status().State; state != petcam.Running {
		t.Errorf("after 1.9 s %q, want still running", state)
	}
	s.nowNs.Add((200 * time.Millisecond).Nanoseconds())
	s.step(petcam.Stats{}, petcam.ErrDeadline)
	s.expect(petcam.Missing)
}

func TestNobodyIsToldBeforeAnybodyWasLookedAt(t *testing.T) {
	board := NewBoard(slog.New(slog.NewTextHandler(io.Discard, nil)), func() {})
	if _, complete := board.Status(); complete {
		t.Error("the status is complete though nothing was heard")
	}
	if state := board.Reports()[Camera].State; state != petcam.Missing {
		t.Errorf("reported as %q, want missing", state)
	}
}

func TestNoteThatAlwaysChangesIsNotAlwaysTold(t *testing.T) {
	s := setUp(t)
	s.source.alive.Store(1)
	for i := range 20 {
		stats := s.report(petcam.Degraded)
		stats.Note = "tried " + string(rune('a'+i)) + " times"
		s.step(stats, nil)
	}
	s.expect(petcam.Degraded)
	if told := len(s.changes); told > 2 {
		t.Errorf("told %d more times, want the first only", told)
	}
}

func TestRatesAreOverAboutASecondAndBeginAnewWithTheProcess(t *testing.T) {
	second := uint64(time.Second)
	at := func(pid uint32, seconds float64, frames, cpuMs uint64) petcam.Stats {
		return petcam.Stats{
			Pid: pid, UpdatedNs: 1 + uint64(seconds*float64(second)), FramesOut: frames,
			TotalCPUNs: cpuMs * uint64(time.Millisecond), Wakes: petcam.Wakes{Ready: frames},
			Latency: petcam.Latency{Count: frames, SumNs: frames * 200_000},
		}
	}
	var u usage
	u.take(at(1, 0, 0, 0))
	u.take(at(1, 1, 30, 50))
	want := rates{fps: 30, cpu: 5, wakes: 30, latencyMs: .2}
	if u.rate != want {
		t.Errorf("rates %+v, want %+v", u.rate, want)
	}
	u.take(at(1, 1.01, 60, 500)) // a change of state just after
	if u.rate != want {
		t.Errorf("a report 10 ms later changed the rates to %+v", u.rate)
	}
	u.take(at(2, 2, 3, 1))
	if u.rate != (rates{}) {
		t.Errorf("of a new process %+v, want nothing yet", u.rate)
	}
}

func TestOwnWakesAreCountedByWhatEndedThem(t *testing.T) {
	own := NewOwn()
	inner := &script{steps: make(chan step, 2)}
	source, err := CountWakes(own, func() (petcam.Source[petcam.Stats], error) { return inner, nil })()
	if err != nil {
		t.Fatal(err)
	}
	inner.steps <- step{}
	inner.steps <- step{err: petcam.ErrDeadline}
	for range 2 {
		_, _ = source.Receive(context.Background())
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, _ = source.Receive(cancelled)
	if got := own.Stats().Wakes; got != (petcam.Wakes{Ready: 1, TimedOut: 1, Interrupted: 1}) {
		t.Errorf("counted %+v, want one of each", got)
	}
}
