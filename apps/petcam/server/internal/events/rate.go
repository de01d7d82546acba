package events

import (
	"sync"
	"time"
)

const rateSeconds = 10

// PerSecond is an average over the last ten seconds.
type PerSecond struct {
	Messages float64 `json:"events"`
	Bytes    float64 `json:"bytes"`
}

// Rate counts messages and bytes of the last ten whole seconds. Safe for several goroutines.
type Rate struct {
	mu      sync.Mutex
	now     func() time.Time
	started time.Time
	slots   [rateSeconds + 1]rateSlot // one more for the second that is not over yet
}

type rateSlot struct {
	second          int64
	messages, bytes int
}

// NewRate begins to count now.
func NewRate() *Rate { return newRateAt(time.Now) }

func newRateAt(now func() time.Time) *Rate { return &Rate{now: now, started: now()} }

// second counts from 1, so that the zero slot is none.
func (r *Rate) second() int64 { return int64(r.now().Sub(r.started)/time.Second) + 1 }

// Add counts one message of so many bytes.
func (r *Rate) Add(bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	second := r.second()
	slot := &r.slots[second%int64(len(r.slots))]
	if slot.second != second {
		*slot = rateSlot{second: second}
	}
	slot.messages++
	slot.bytes += bytes
}

// PerSecond averages over the whole seconds before this one, at most ten.
func (r *Rate) PerSecond() PerSecond {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.second()
	seconds := min(now-1, rateSeconds)
	if seconds == 0 {
		return PerSecond{}
	}
	var messages, bytes int
	for _, slot := range r.slots {
		if slot.second < now && slot.second >= now-seconds && slot.second > 0 {
			messages += slot.messages
			bytes += slot.bytes
		}
	}
	over := float64(seconds)
	return PerSecond{Messages: float64(messages) / over, Bytes: float64(bytes) / over}
}
