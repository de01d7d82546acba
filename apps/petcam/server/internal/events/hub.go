package events

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
)

// Limits of the stream.
const (
	RingMax    = 1024 // messages a client may be behind and still resume; the journal keeps as many
	QueueMax   = 64   // messages waiting for one client before it is evicted
	journalMax = 4 * RingMax
)

var errClosed = errors.New("the event stream is closed: the server stops")

// Hub numbers messages, writes them to the journal and hands them to every client. It never waits
// for a client: one that does not keep up is evicted, and resumes when it comes back.
type Hub struct {
	log *slog.Logger

	mu      sync.Mutex
	journal *Journal // nil once writing to it failed: numbers then end with this process
	epoch   string
	seq     uint64
	ring    []Message // the newest RingMax, oldest first
	base    State     // what everything before the ring adds up to
	state   State     // what everything adds up to
	clients map[*Client]struct{}
	closed  bool
	counts  Counts
	sent    *Rate // what one client gets
	naive   *Rate // what one client would get if every detector message were sent
}

// Counts only grow.
type Counts struct {
	Messages          map[string]uint64 // published, by type
	Bytes             uint64            // written to all clients
	Resumed, Resynced uint64            // streams begun by replay, and with a gap
	Evicted           uint64
	Suppressed        uint64 // detector messages that said nothing new
	JournalFailures   uint64
}

// Client is one stream. Its first bytes are Greeting; what follows comes through Queue, which is
// closed when the hub ends the stream.
type Client struct {
	Greeting []byte
	Queue    chan []byte
}

// NewHub goes on where the journal ends.
func NewHub(journal *Journal, r Recovered, log *slog.Logger) (*Hub, error) {
	h := &Hub{
		log: log, journal: journal, epoch: r.Epoch, seq: r.BaseSeq,
		base: r.Base.clone(), state: r.Base.clone(),
		clients: map[*Client]struct{}{}, counts: Counts{Messages: map[string]uint64{}},
		sent: NewRate(), naive: NewRate(),
	}
	for _, m := range r.Messages {
		if err := h.push(m); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// push makes a message the newest of ring and state.
func (h *Hub) push(m Message) error {
	if err := h.state.Apply(m); err != nil {
		return err
	}
	h.seq = m.Seq
	if len(h.ring) == RingMax {
		if err := h.base.Apply(h.ring[0]); err != nil {
			return err
		}
		h.ring = append(h.ring[:0], h.ring[1:]...)
	}
	h.ring = append(h.ring, m)
	return nil
}

// Publish tells all clients. The data is made for the id that the message will carry, which is how
// an event can be named after the message that began it. Answers that id.
func (h *Hub) Publish(kind string, data func(id string) any) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return "", errClosed
	}
	return h.publish(kind, data)
}

func (h *Hub) publish(kind string, data func(id string) any) (string, error) {
	m := Message{Seq: h.seq + 1, Type: kind}
	body, err := json.Marshal(data(m.ID(h.epoch)))
	if err != nil {
		return "", err
	}
	m.Data = body
	// Journal first: what a client may have seen must not be given out again after a crash.
	if h.journal != nil {
		if err := h.journal.Append(m); err != nil {
			h.loseJournal(err)
			return h.publish(kind, data)
		}
	}
	if err := h.push(m); err != nil {
		return "", err
	}
	h.compact()
	h.broadcast(kind, wire(m.ID(h.epoch), kind, m.Data))
	return m.ID(h.epoch), nil
}

func (h *Hub) broadcast(kind string, text []byte) {
	h.counts.Messages[kind]++
	h.sent.Add(len(text))
	for client := range h.clients {
		select {
		case client.Queue <- text:
		default:
			h.counts.Evicted++
			h.drop(client)
		}
	}
}

func (h *Hub) drop(client *Client) {
	delete(h.clients, client)
	close(client.Queue)
}

func (h *Hub) compact() {
	if h.journal == nil || h.journal.Lines() < journalMax {
		return
	}
	before := h.seq - uint64(len(h.ring))
	if err := h.journal.Compact(h.base, before, h.ring); err != nil {
		// Nothing is lost: the old file is whole and grows on until the next try.
		h.counts.JournalFailures++
		h.log.Warn("the event journal could not be shortened", "reason", err)
	}
}

// loseJournal ends the numbering that a restart could continue. A number that was not written must
// not be used under this epoch, because the next process would use it again.
func (h *Hub) loseJournal(cause error) {
	h.counts.JournalFailures++
	h.log.Error("events are no longer journalled; clients resynchronise after a restart",
		"reason", cause)
	h.journal.Close()
	h.journal = nil
	h.epoch = newEpoch()
	h.ring, h.base, h.seq = nil, h.state.clone(), 0
	for client := range h.clients {
		h.drop(client)
	}
}

// Join begins a stream. `last` is the client's Last-Event-ID, empty if it has none: a client that
// can be told everything it missed is told that; any other gets the state of now.
func (h *Hub) Join(last string) *Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	client := &Client{Queue: make(chan []byte, QueueMax)}
	if h.closed {
		close(client.Queue)
		return client
	}
	client.Greeting = h.greeting(last)
	h.clients[client] = struct{}{}
	return client
}

func (h *Hub) greeting(last string) []byte {
	out := []byte("retry: 1000\n\n")
	if last != "" {
		if missed, ok := h.missedSince(last); ok {
			h.counts.Resumed++
			for _, m := range missed {
				out = append(out, wire(m.ID(h.epoch), m.Type, m.Data)...)
			}
			return out
		}
		h.counts.Resynced++
		out = append(out, wire("", TypeResync, []byte(`{"reason":"gap"}`))...)
	}
	return append(out, wire(formatID(h.epoch, h.seq), TypeSnapshot, h.snapshot())...)
}

// missedSince answers the messages after the given id; false if it is not from this numbering or
// the ring does not reach back that far.
func (h *Hub) missedSince(last string) ([]Message, bool) {
	epoch, number, _ := strings.Cut(last, "-")
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil || epoch != h.epoch || seq > h.seq {
		return nil, false
	}
	behind := h.seq - seq
	if behind > uint64(len(h.ring)) {
		return nil, false
	}
	return h.ring[uint64(len(h.ring))-behind:], true
}

func (h *Hub) snapshot() []byte {
	body, err := json.Marshal(h.state)
	if err != nil {
		// The state is made of messages that were JSON when they came.
		h.log.Error("cannot write the snapshot", "reason", err)
		return []byte("{}")
	}
	return body
}

// Leave ends a stream from the client's side.
func (h *Hub) Leave(client *Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, here := h.clients[client]; here {
		h.drop(client)
	}
}

// Close tells every client that the server stops, and ends their streams.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	bye := wire("", TypeBye, []byte("{}"))
	for client := range h.clients {
		select {
		case client.Queue <- bye:
		default:
		}
		h.drop(client)
	}
	if h.journal != nil {
		h.journal.Close()
		h.journal = nil
	}
}

// State is what all messages so far add up to.
func (h *Hub) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.clone()
}

// Position is the id of the newest message.
func (h *Hub) Position() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return formatID(h.epoch, h.seq)
}

// Clients counts the streams open now.
func (h *Hub) Clients() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

// CountWritten adds bytes that reached a client.
func (h *Hub) CountWritten(bytes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts.Bytes += uint64(bytes)
}

// CountSuppressed notes a detector message that was not worth telling.
func (h *Hub) CountSuppressed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts.Suppressed++
}

// CountExamined notes one detector message and the bytes it would have cost a client.
func (h *Hub) CountExamined(bytes int) { h.naive.Add(bytes) }

// Rates answers what one client gets a second, and what it would get without change detection.
func (h *Hub) Rates() (sent, naive PerSecond) { return h.sent.PerSecond(), h.naive.PerSecond() }

// Counts is a copy of all counters.
func (h *Hub) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts := h.counts
	counts.Messages = maps.Clone(h.counts.Messages)
	return counts
}
