package app

import (
	"context"
	"sync"

	"signalbox.dev/petcam/server/internal/petcam"
)

// newest holds the latest detections and wakes those who wait for later ones.
type newest struct {
	mu      sync.Mutex
	value   *petcam.Detections
	changed chan struct{} // closed at the next set; nil while nobody waits
}

func newNewest() *newest { return &newest{} }

func (n *newest) set(d *petcam.Detections) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.value = d
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}

// get answers nil before the first.
func (n *newest) get() *petcam.Detections {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.value
}

// next waits for detections that come after now; nil when the context ends first.
func (n *newest) next(ctx context.Context) *petcam.Detections {
	n.mu.Lock()
	if n.changed == nil {
		n.changed = make(chan struct{})
	}
	changed := n.changed
	n.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil
	case <-changed:
		return n.get()
	}
}
