package petcam

import (
	"context"
	"errors"
	"testing"
)

func TestClockIsThatOfTheKernel(t *testing.T) {
	for range 1000 {
		before := readClock()
		ours := MonotonicNs()
		after := readClock()
		// The two readings at the start were not taken at the same instant.
		const apart = 50_000_000
		if ours < before-apart || ours > after+apart {
			t.Fatalf("%d is not between %d and %d", ours, before, after)
		}
	}
}

func TestOverlap(t *testing.T) {
	box := Box{X: 10, Y: 10, W: 20, H: 10}
	for _, test := range []struct {
		other Box
		want  float32
	}{
		{box, 1},
		{Box{X: 20, Y: 10, W: 20, H: 10}, 1. / 3},
		{Box{X: 30, Y: 10, W: 20, H: 10}, 0},
		{Box{X: 100, Y: 100, W: 1, H: 1}, 0},
		{Box{X: 10, Y: 10}, 0},
	} {
		if got := box.Overlap(test.other); got < test.want-1e-6 || got > test.want+1e-6 {
			t.Errorf("%+v: %g, want %g", test.other, got, test.want)
		}
	}
}

func TestOpenUntilTellsEachReasonOnceAndGoesOn(t *testing.T) {
	reasons := []error{errors.New("a"), errors.New("a"), errors.New("b"), nil}
	var told []string
	opened, err := OpenUntil(context.Background(), openRetryFirst, func() (int, error) {
		reason := reasons[0]
		reasons = reasons[1:]
		return 7, reason
	}, func(err error) { told = append(told, err.Error()) })
	if opened != 7 || err != nil || len(told) != 2 || told[0] != "a" || told[1] != "b" {
		t.Errorf("%d, %v, told %q", opened, err, told)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = OpenUntil(cancelled, openRetryFirst, func() (int, error) { return 0, errors.New("no") },
		func(error) {})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's end", err)
	}
}
