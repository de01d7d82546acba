package video

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"signalbox.dev/petcam/server/internal/petcam"
)

const (
	// inFlightMax frames may be on their way to a client that acknowledges: one being shown, one
	// to follow at once. Anything more would only wait in the network's buffers and grow old.
	inFlightMax = 2
	requestMax  = 256 // bytes of a message from a client
	statsEvery  = time.Second
)

// WebSocket serves /ws. Frames are binary messages: petcam.HeaderBytes of header, then the JPEG.
// A client gets nothing else unless it asks, by ?with=, a list of
//
//	boxes  text {"boxes":{...}}, where somebody is, when it changed
//	stats  text {"stats":{...}}, as /api/v1/status, each second
//	still  no frames and no boxes: the page is paused
//	acks   it will answer each frame with {"ack":number}, and is never sent more than two ahead
//
// At any time it may send {"clock":t}; the answer {"clock":t,"now_ns":n} tells it our clock.
type WebSocket struct {
	Hub   *Hub
	Stats func() any
}

type wants struct{ boxes, stats, still, acks bool }

func parseWants(text string) (wants, error) {
	var w wants
	for word := range strings.SplitSeq(text, ",") {
		switch word {
		case "boxes":
			w.boxes = true
		case "stats":
			w.stats = true
		case "still":
			w.still = true
		case "acks":
			w.acks = true
		case "":
		default:
			return w, fmt.Errorf("cannot send %q: ?with= knows boxes, stats, still and acks", word)
		}
	}
	return w, nil
}

func (s *WebSocket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	with, err := parseWants(r.URL.Query().Get("with"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// The guard has checked Origin against Host already; the library checks it once more.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(requestMax)
	s.Hub.closing.Add(1)
	defer s.Hub.closing.Done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	session := &session{
		conn: conn, with: with, stats: s.Stats, viewer: &Viewer{}, closed: s.Hub.done,
		acks: make(chan struct{}, inFlightMax), clocks: make(chan json.RawMessage, 1),
	}
	if !with.still {
		session.viewer = s.Hub.Join(with.boxes)
		defer session.viewer.Leave()
	}
	go func() {
		defer cancel()
		session.read(ctx)
	}()
	session.write(ctx)
}

type session struct {
	conn   *websocket.Conn
	with   wants
	stats  func() any
	viewer *Viewer
	closed <-chan struct{}
	acks   chan struct{}
	clocks chan json.RawMessage
}

// read takes in what the client says, until it is gone.
func (s *session) read(ctx context.Context) {
	for {
		kind, text, err := s.conn.Read(ctx)
		if err != nil {
			return
		}
		var said struct {
			Ack   *uint64         `json:"ack"`
			Clock json.RawMessage `json:"clock"`
		}
		if kind != websocket.MessageText || json.Unmarshal(text, &said) != nil {
			s.conn.Close(websocket.StatusUnsupportedData, "only JSON text is understood here")
			return
		}
		if said.Ack != nil {
			select {
			case s.acks <- struct{}{}:
			default: // more acknowledgements than frames: it gains nothing by that
			}
		}
		if said.Clock != nil {
			replace(s.clocks, said.Clock)
		}
	}
}

func (s *session) write(ctx context.Context) {
	var tick <-chan time.Time
	if s.with.stats {
		ticker := time.NewTicker(statsEvery)
		defer ticker.Stop()
		tick = ticker.C
		if !s.send(ctx, "stats", s.stats()) {
			return
		}
	}
	for inFlight, good := 0, true; good; {
		frames := s.viewer.Frames
		if s.with.acks && inFlight >= inFlightMax {
			frames = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-s.closed:
			s.conn.Close(websocket.StatusGoingAway, "the server stops")
			return
		case frame, open := <-frames:
			if !open {
				s.viewer.Frames = nil // the hub has closed, and says so above
				continue
			}
			inFlight++
			good = s.sendFrame(ctx, frame)
		case <-s.acks:
			inFlight = max(0, inFlight-1)
		case boxes := <-s.viewer.Boxes:
			good = s.send(ctx, "boxes", json.RawMessage(boxes))
		case <-tick:
			good = s.send(ctx, "stats", s.stats())
		case clock := <-s.clocks:
			good = s.sendClock(ctx, clock)
		}
	}
}

func (s *session) sendFrame(ctx context.Context, frame *petcam.Jpeg) bool {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageBinary, frame.Message) == nil
}

func (s *session) send(ctx context.Context, name string, value any) bool {
	return s.sendText(ctx, map[string]any{name: value})
}

func (s *session) sendClock(ctx context.Context, clock json.RawMessage) bool {
	return s.sendText(ctx, map[string]any{
		"clock": slices.Clone(clock), "now_ns": petcam.MonotonicNs(),
	})
}

func (s *session) sendText(ctx context.Context, value any) bool {
	text, err := json.Marshal(value)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, text) == nil
}
