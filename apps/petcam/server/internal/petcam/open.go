package petcam

import (
	"context"
	"time"
)

const openRetryFirst = 100 * time.Millisecond

// OpenUntil tries to open, with pauses that double up to the given one, until it succeeds or the
// context ends; only then it answers an error. `failed` hears of a failure unless it is the same as
// the one before.
func OpenUntil[T any](ctx context.Context, pauseMax time.Duration, open func() (T, error),
	failed func(error)) (T, error) {
	var told string
	for pause := openRetryFirst; ; pause = min(pause*2, pauseMax) {
		opened, err := open()
		if err == nil {
			return opened, nil
		}
		if err.Error() != told {
			told = err.Error()
			failed(err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			var none T
			return none, ctx.Err()
		case <-timer.C:
		}
	}
}
