// Package events turns what the detector says 30 times a second into the few changes worth telling,
// numbers them so that no client loses or doubles one, and streams them as server-sent events.
package events

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"signalbox.dev/petcam/server/internal/petcam"
)

// The types of message a client sees in its `event:` field.
const (
	TypeEvent    = "event"    // Lifecycle: a subject came, changed label or zone, or left
	TypeTracks   = "tracks"   // Tracks: somebody moved materially; every current track, latest wins
	TypeStatus   = "status"   // daemons and scene, when one of them changed
	TypeSnapshot = "snapshot" // State: everything current, at the start of a stream
	TypeResync   = "resync"   // the gap cannot be filled; a snapshot follows
	TypeBye      = "bye"      // the server stops; reconnect
)

// Event is one subject's visit, from new to end. Its ID is that of the message that began it.
type Event struct {
	ID    string   `json:"id"`
	Track uint32   `json:"track"`
	Label string   `json:"label"`
	Zone  string   `json:"zone,omitempty"`  // where it is
	Zones []string `json:"zones,omitempty"` // where it has been
	Box   [4]int   `json:"box"`             // x, y, w, h in pixels of the full frame
	Score float64  `json:"score"`
	Start int64    `json:"start"`         // milliseconds since 1970
	End   int64    `json:"end,omitempty"` // 0 while it lasts
	Why   string   `json:"why,omitempty"` // why it ended, unless the subject simply left
}

// Lifecycle is the data of TypeEvent.
type Lifecycle struct {
	Kind    string   `json:"kind"` // "new", "update" or "end"
	Frame   uint64   `json:"frame"`
	Changed []string `json:"changed,omitempty"` // names of the fields of After that are different
	After   Event    `json:"after"`
}

// Tracks is the data of TypeTracks: all current events.
type Tracks struct {
	Frame  uint64  `json:"frame"`
	Tracks []Track `json:"tracks"`
}

// Track is where the subject of an event is now.
type Track struct {
	ID    string  `json:"id"` // of the event
	Track uint32  `json:"track"`
	Label string  `json:"label"`
	Zone  string  `json:"zone,omitempty"`
	Box   [4]int  `json:"box"`
	Score float64 `json:"score"`
}

// Message is one numbered line of the stream.
type Message struct {
	Seq  uint64
	Type string
	Data []byte // compact JSON, no line break
}

// ID is what the client sends back as Last-Event-ID.
func (m Message) ID(epoch string) string { return formatID(epoch, m.Seq) }

func formatID(epoch string, seq uint64) string { return fmt.Sprintf("%s-%d", epoch, seq) }

// wire is the message as bytes of the stream. An empty id leaves the client's position as it is.
func wire(id, kind string, data []byte) []byte {
	out := make([]byte, 0, len(id)+len(kind)+len(data)+24)
	if id != "" {
		out = append(append(append(out, "id: "...), id...), '\n')
	}
	out = append(append(append(out, "event: "...), kind...), '\n')
	out = append(append(out, "data: "...), data...)
	return append(out, '\n', '\n')
}

// State is what all messages so far add up to. Server, page and journal reduce the same messages
// to the same state, so a resumed client is where a new one would be.
type State struct {
	Status json.RawMessage `json:"status,omitempty"`
	Open   []Event         `json:"open"` // in the order they began
}

// Apply adds one message. An error means the message is not one of ours.
func (s *State) Apply(m Message) error {
	switch m.Type {
	case TypeStatus:
		s.Status = slices.Clone(m.Data)
		return nil
	case TypeEvent:
		var change Lifecycle
		if err := json.Unmarshal(m.Data, &change); err != nil {
			return fmt.Errorf("message %d: %w", m.Seq, err)
		}
		s.applyLifecycle(change)
		return nil
	case TypeTracks:
		var tracks Tracks
		if err := json.Unmarshal(m.Data, &tracks); err != nil {
			return fmt.Errorf("message %d: %w", m.Seq, err)
		}
		s.applyTracks(tracks)
		return nil
	}
	return fmt.Errorf("message %d has the unknown type %q", m.Seq, m.Type)
}

func (s *State) applyLifecycle(change Lifecycle) {
	at := slices.IndexFunc(s.Open, func(e Event) bool { return e.ID == change.After.ID })
	switch {
	case change.Kind == "end" && at >= 0:
		s.Open = slices.Delete(s.Open, at, at+1)
	case change.Kind == "end":
	case at >= 0:
		s.Open[at] = change.After
	default:
		s.Open = append(s.Open, change.After)
	}
}

func (s *State) applyTracks(tracks Tracks) {
	for _, track := range tracks.Tracks {
		for i := range s.Open {
			if s.Open[i].ID == track.ID {
				s.Open[i].Box, s.Open[i].Score = track.Box, track.Score
			}
		}
	}
}

// clone is safe to keep while the state goes on.
func (s *State) clone() State {
	return State{Status: slices.Clone(s.Status), Open: slices.Clone(s.Open)}
}

func pixels(b petcam.Box) [4]int {
	round := func(v float32) int { return int(math.Round(float64(v))) }
	return [4]int{round(b.X), round(b.Y), round(b.W), round(b.H)}
}

func boxOf(p [4]int) petcam.Box {
	return petcam.Box{X: float32(p[0]), Y: float32(p[1]), W: float32(p[2]), H: float32(p[3])}
}

// percent keeps two digits: more only makes the stream longer.
func percent(score float32) float64 { return math.Round(float64(score)*100) / 100 }
