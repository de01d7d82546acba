package events

import (
	"net/http"
	"time"
)

// Stream serves the hub as server-sent events. A client resumes with the header Last-Event-ID, as
// EventSource does by itself, or with ?last_event_id=.
type Stream struct {
	Hub *Hub
	// Heartbeat is how often a silent stream carries a comment, so that proxies keep it open and a
	// dead client is noticed.
	Heartbeat time.Duration
	// WriteTimeout is how long one write may take before the client counts as gone.
	WriteTimeout time.Duration
}

// NewStream uses the usual times.
func NewStream(hub *Hub) *Stream {
	return &Stream{Hub: hub, Heartbeat: 15 * time.Second, WriteTimeout: 5 * time.Second}
}

func (s *Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("last_event_id")
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	client := s.Hub.Join(last)
	defer s.Hub.Leave(client)

	control := http.NewResponseController(w)
	write := func(text []byte) bool {
		_ = control.SetWriteDeadline(time.Now().Add(s.WriteTimeout))
		written, err := w.Write(text)
		s.Hub.CountWritten(written)
		return err == nil && control.Flush() == nil
	}
	if !write(client.Greeting) {
		return
	}
	heartbeat := time.NewTicker(s.Heartbeat)
	defer heartbeat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case text, open := <-client.Queue:
			if !open || !write(text) {
				return
			}
		case <-heartbeat.C:
			if !write([]byte(":\n\n")) {
				return
			}
		}
	}
}
