// Package video brings frames to viewers: each gets the newest frame it can take and no other, so
// a slow one neither falls behind nor holds up anybody else.
package video

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"signalbox.dev/petcam/server/internal/petcam"
)

const openRetryMax = time.Second

// Hub subscribes to the camera's JPEGs exactly while somebody watches: the subscription is what
// makes the camera encode.
type Hub struct {
	log  *slog.Logger
	open func() (petcam.Source[*petcam.Jpeg], error)
	seen func(*petcam.Jpeg) // hears of each frame received

	mu      sync.Mutex
	viewers map[*Viewer]struct{}
	stop    context.CancelFunc // ends the pump; nil while nobody watches
	pump    int                // number of the pump that may broadcast
	tracks  []byte             // those of the newest boxes
	boxes   []byte             // the newest, for viewers that come later
	wanted  int                // viewers that want boxes
	closed  bool
	counts  Counts
	done    chan struct{}  // closed with the hub
	closing sync.WaitGroup // WebSocket sessions, which http.Server does not wait for
}

// Counts only grow.
type Counts struct {
	Received uint64 // frames taken from the topic
	Lost     uint64 // frames the server itself was too late for
	Sent     uint64 // frames handed to viewers
	Replaced uint64 // frames a viewer was too slow for
}

// Viewer is one watcher. Both channels hold the newest only; Frames is closed when the server
// stops.
type Viewer struct {
	Frames chan *petcam.Jpeg
	Boxes  chan []byte // nil unless asked for
	hub    *Hub
}

// NewHub does nothing until somebody joins.
func NewHub(open func() (petcam.Source[*petcam.Jpeg], error), seen func(*petcam.Jpeg),
	log *slog.Logger) *Hub {
	return &Hub{log: log, open: open, seen: seen, viewers: map[*Viewer]struct{}{},
		done: make(chan struct{})}
}

// Join begins to watch; with boxes also where the detector sees somebody.
func (h *Hub) Join(boxes bool) *Viewer {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &Viewer{Frames: make(chan *petcam.Jpeg, 1), hub: h}
	if h.closed {
		close(v.Frames)
		return v
	}
	if boxes {
		v.Boxes = make(chan []byte, 1)
		h.wanted++
		if h.boxes != nil {
			v.Boxes <- h.boxes
		}
	}
	h.viewers[v] = struct{}{}
	if h.stop == nil {
		ctx, stop := context.WithCancel(context.Background())
		h.stop = stop
		h.pump++
		go h.run(ctx, h.pump)
	}
	return v
}

// Leave ends watching. The last to leave ends the subscription.
func (v *Viewer) Leave() {
	h := v.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, here := h.viewers[v]; !here {
		return
	}
	h.remove(v)
}

func (h *Hub) remove(v *Viewer) {
	delete(h.viewers, v)
	if v.Boxes != nil {
		h.wanted--
	}
	if h.wanted == 0 {
		h.tracks, h.boxes = nil, nil // nobody keeps them up to date now
	}
	if len(h.viewers) == 0 {
		h.stop()
		h.stop = nil
	}
}

// Close ends all watching.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	close(h.done)
	for v := range h.viewers {
		close(v.Frames)
		h.remove(v)
	}
}

// Await waits until the WebSocket sessions have ended, or the context does.
func (h *Hub) Await(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		h.closing.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

func (h *Hub) run(ctx context.Context, pump int) {
	for ctx.Err() == nil {
		source, err := petcam.OpenUntil(ctx, openRetryMax, h.open, func(err error) {
			h.log.Error("cannot subscribe to the camera's pictures; trying again", "reason", err)
		})
		if err != nil {
			return
		}
		h.forward(ctx, pump, source)
		source.Close()
	}
}

func (h *Hub) forward(ctx context.Context, pump int, source petcam.Source[*petcam.Jpeg]) {
	var lost uint64
	for {
		frame, err := source.Receive(ctx)
		if err != nil {
			if ctx.Err() == nil {
				h.log.Error("lost the camera's pictures; subscribing again", "reason", err)
			}
			return
		}
		total := source.Lost()
		h.broadcast(pump, frame, total-lost)
		lost = total
	}
}

func (h *Hub) broadcast(pump int, frame *petcam.Jpeg, lost uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if pump != h.pump {
		return // a newer pump has taken over: its viewers must not get a frame twice
	}
	h.counts.Received++
	h.counts.Lost += lost
	h.seen(frame)
	for v := range h.viewers {
		h.counts.Sent++
		if replace(v.Frames, frame) {
			h.counts.Replaced++
		}
	}
}

// replace puts the value into a channel of one, in place of what is there. Only one goroutine at a
// time puts, so at the second try there is room.
func replace[T any](box chan T, value T) (replaced bool) {
	select {
	case box <- value:
		return false
	default:
	}
	select {
	case <-box:
		replaced = true
	default:
	}
	box <- value
	return replaced
}

// WantsBoxes says whether making boxes is worth the trouble.
func (h *Hub) WantsBoxes() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wanted > 0
}

// ShowBoxes hands the tracks seen in a frame to every viewer that wants them, unless they are what
// was shown last.
func (h *Hub) ShowBoxes(frame uint64, tracks []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.wanted == 0 || h.boxes != nil && bytes.Equal(tracks, h.tracks) {
		return
	}
	h.tracks = tracks
	h.boxes = fmt.Appendf(nil, `{"frame":%d,"tracks":%s}`, frame, tracks)
	for v := range h.viewers {
		if v.Boxes != nil {
			replace(v.Boxes, h.boxes)
		}
	}
}

// Viewers counts those who watch now.
func (h *Hub) Viewers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.viewers)
}

// Counts is a copy of all counters.
func (h *Hub) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts
}
