package events

// Goal: no client loses or doubles a message, whatever happens to it or to the server.
// Method: the hub and the HTTP stream themselves, with a journal in a temporary folder; restarts
// are a second hub on the same journal, and kill -9 is the child process of journal_test.go.

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func openHub(t *testing.T, folder string) *Hub {
	t.Helper()
	journal, recovered, err := OpenJournal(folder, quiet())
	if err != nil {
		t.Fatal(err)
	}
	hub, err := NewHub(journal, recovered, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	return hub
}

func publishStatus(t *testing.T, hub *Hub, text string) string {
	t.Helper()
	id, err := hub.Publish(TypeStatus, func(string) any { return map[string]string{"is": text} })
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// received is one message as a client sees it.
type received struct{ id, kind, data string }

// parseStream splits the bytes of a stream as EventSource does.
func parseStream(text string) []received {
	var out []received
	for _, block := range strings.Split(text, "\n\n") {
		var r received
		for _, line := range strings.Split(block, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "id":
				r.id = value
			case "event":
				r.kind = value
			case "data":
				r.data = value
			}
		}
		if r.kind != "" {
			out = append(out, r)
		}
	}
	return out
}

func kinds(messages []received) string {
	var out []string
	for _, m := range messages {
		out = append(out, m.kind)
	}
	return strings.Join(out, " ")
}

func TestNewClientGetsTheStateOfNow(t *testing.T) {
	hub := openHub(t, t.TempDir())
	publishStatus(t, hub, "old")
	id := publishStatus(t, hub, "new")
	got := parseStream(string(hub.Join("").Greeting))
	if len(got) != 1 || got[0].kind != TypeSnapshot || got[0].id != id {
		t.Fatalf("greeting %+v, want one snapshot with id %s", got, id)
	}
	if want := `{"status":{"is":"new"},"open":[]}`; got[0].data != want {
		t.Errorf("snapshot %s, want %s", got[0].data, want)
	}
}

func TestResumedClientGetsExactlyWhatItMissed(t *testing.T) {
	hub := openHub(t, t.TempDir())
	seen := publishStatus(t, hub, "seen")
	missed := []string{publishStatus(t, hub, "a"), publishStatus(t, hub, "b")}
	got := parseStream(string(hub.Join(seen).Greeting))
	if len(got) != 2 || got[0].id != missed[0] || got[1].id != missed[1] {
		t.Fatalf("replayed %+v, want %v", got, missed)
	}
	if again := parseStream(string(hub.Join(missed[1]).Greeting)); len(again) != 0 {
		t.Errorf("a client that missed nothing was told %+v", again)
	}
	if counts := hub.Counts(); counts.Resumed != 2 || counts.Resynced != 0 {
		t.Errorf("counts %+v, want two resumed", counts)
	}
}

func TestGapThatCannotBeFilledResynchronisesOnce(t *testing.T) {
	hub := openHub(t, t.TempDir())
	first := publishStatus(t, hub, "first")
	for i := range RingMax {
		publishStatus(t, hub, fmt.Sprint(i))
	}
	// The ring holds all that came after the first: that gap can still be filled.
	if got := parseStream(string(hub.Join(first).Greeting)); len(got) != RingMax {
		t.Fatalf("replayed %d messages, want %d", len(got), RingMax)
	}
	publishStatus(t, hub, "one too many")
	epoch, _, _ := strings.Cut(first, "-")
	for name, last := range map[string]string{
		"too old": first, "another epoch": "0badcafe-3", "no id": "nonsense",
		"from the future": epoch + "-99999999", "negative": epoch + "--1",
	} {
		if got := kinds(parseStream(string(hub.Join(last).Greeting))); got != "resync snapshot" {
			t.Errorf("%s: greeted with %q, want one resync and a snapshot", name, got)
		}
	}
}

func TestSlowClientIsEvictedAndHarmsNobody(t *testing.T) {
	hub := openHub(t, t.TempDir())
	slow, quick := hub.Join(""), hub.Join("")
	delivered := 0
	for i := range QueueMax + 1 {
		publishStatus(t, hub, fmt.Sprint(i))
		<-quick.Queue
		delivered++
	}
	if delivered != QueueMax+1 || hub.Clients() != 1 {
		t.Fatalf("%d clients left, quick one got %d messages", hub.Clients(), delivered)
	}
	if hub.Counts().Evicted != 1 {
		t.Errorf("evicted %d, want 1", hub.Counts().Evicted)
	}
	queued := 0
	for range slow.Queue { // closed, or this would not end
		queued++
	}
	if queued != QueueMax {
		t.Errorf("the slow client keeps %d messages, want %d", queued, QueueMax)
	}
}

func TestStateAddsUpTheSameByReplayAsBySnapshot(t *testing.T) {
	hub := openHub(t, t.TempDir())
	start := hub.Position()
	cat := Event{Track: 7, Label: "cat", Box: [4]int{1, 2, 3, 4}, Score: .5, Start: 10}
	say := func(kind string, e *Event) {
		t.Helper()
		if _, err := hub.Publish(TypeEvent, func(id string) any {
			if kind == "new" {
				e.ID = id
			}
			return Lifecycle{Kind: kind, After: *e}
		}); err != nil {
			t.Fatal(err)
		}
	}
	say("new", &cat)
	dog := Event{Track: 8, Label: "dog"}
	say("new", &dog)
	cat.Zone, cat.Zones = "bowl", []string{"bowl"}
	say("update", &cat)
	if _, err := hub.Publish(TypeTracks, func(string) any {
		return Tracks{Tracks: []Track{{ID: cat.ID, Box: [4]int{9, 9, 9, 9}, Score: .9}}}
	}); err != nil {
		t.Fatal(err)
	}
	say("end", &dog)
	publishStatus(t, hub, "fine")

	replayed := State{Open: []Event{}}
	for i, m := range parseStream(string(hub.Join(start).Greeting)) {
		message := Message{Seq: uint64(i), Type: m.kind, Data: []byte(m.data)}
		if err := replayed.Apply(message); err != nil {
			t.Fatal(err)
		}
	}
	byReplay, _ := json.Marshal(replayed)
	bySnapshot := parseStream(string(hub.Join("").Greeting))[0].data
	if string(byReplay) != bySnapshot {
		t.Errorf("replay adds up to\n%s\nsnapshot says\n%s", byReplay, bySnapshot)
	}
	if len(replayed.Open) != 1 || replayed.Open[0].Box != [4]int{9, 9, 9, 9} {
		t.Errorf("open events %+v, want the cat where it moved", replayed.Open)
	}
}

// stream reads a live stream, message by message.
type stream struct {
	body   io.ReadCloser
	lines  *bufio.Reader
	header http.Header
}

func openStream(t *testing.T, url, last string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return &stream{response.Body, bufio.NewReader(response.Body), response.Header}
}

// block is the text up to the next empty line; io.EOF at the end of the stream.
func (s *stream) block() (string, error) {
	var text strings.Builder
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line == "\n" {
			return text.String(), nil
		}
		text.WriteString(line)
	}
}

func (s *stream) next(t *testing.T) received {
	t.Helper()
	for {
		text, err := s.block()
		if err != nil {
			t.Fatal(err)
		}
		if got := parseStream(text + "\n"); len(got) == 1 {
			return got[0]
		}
	}
}

func TestStreamOverHTTP(t *testing.T) {
	hub := openHub(t, t.TempDir())
	server := httptest.NewServer(NewStream(hub))
	defer server.Close()
	live := openStream(t, server.URL, "")
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
	} {
		if got := live.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if retry, err := live.block(); err != nil || retry != "retry: 1000\n" {
		t.Fatalf("first block %q, %v, want the retry hint", retry, err)
	}
	if got := live.next(t); got.kind != TypeSnapshot {
		t.Fatalf("first message %+v, want a snapshot", got)
	}
	id := publishStatus(t, hub, "live")
	if got := live.next(t); got != (received{id, TypeStatus, `{"is":"live"}`}) {
		t.Fatalf("got %+v", got)
	}
	live.body.Close()
	missed := publishStatus(t, hub, "missed")
	if got := openStream(t, server.URL, id).next(t); got.id != missed {
		t.Fatalf("resumed with %+v, want %s", got, missed)
	}
	if got := openStream(t, server.URL+"?last_event_id="+id, "").next(t); got.id != missed {
		t.Fatalf("resumed by query with %+v, want %s", got, missed)
	}
	last := openStream(t, server.URL, missed)
	publishStatus(t, hub, "so that the stream has begun")
	last.next(t)
	hub.Close()
	if got := last.next(t); got.kind != TypeBye || got.id != "" {
		t.Fatalf("at the end %+v, want bye without an id", got)
	}
	if _, err := last.block(); err != io.EOF {
		t.Errorf("after bye: %v, want the end of the stream", err)
	}
}

func TestSilentStreamCarriesHeartbeats(t *testing.T) {
	hub := openHub(t, t.TempDir())
	handler := NewStream(hub)
	handler.Heartbeat = time.Millisecond
	server := httptest.NewServer(handler)
	defer server.Close()
	defer hub.Close()
	live := openStream(t, server.URL, hub.Position())
	if _, err := live.block(); err != nil { // the retry hint
		t.Fatal(err)
	}
	if got, err := live.block(); err != nil || got != ":\n" {
		t.Fatalf("got %q, %v, want a comment", got, err)
	}
}

func TestBytesWrittenAreCounted(t *testing.T) {
	hub := openHub(t, t.TempDir())
	recorder := httptest.NewRecorder()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	NewStream(hub).ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, "GET", "/events", nil))
	if got := hub.Counts().Bytes; got != uint64(recorder.Body.Len()) || got == 0 {
		t.Errorf("counted %d bytes, wrote %d", got, recorder.Body.Len())
	}
}

func TestLostJournalBeginsANewEpochInsteadOfReusingNumbers(t *testing.T) {
	folder := t.TempDir()
	hub := openHub(t, folder)
	before := publishStatus(t, hub, "journalled")
	client := hub.Join("")
	hub.journal.file.Close() // from now on every write fails, as on a full disk
	after := publishStatus(t, hub, "not journalled")
	epochBefore, _, _ := strings.Cut(before, "-")
	if epochAfter, _, _ := strings.Cut(after, "-"); epochAfter == epochBefore {
		t.Fatalf("%s was given out under the journalled epoch", after)
	}
	if _, open := <-client.Queue; open {
		t.Error("the client goes on with ids that a restart would not know")
	}
	if got := kinds(parseStream(string(hub.Join(before).Greeting))); got != "resync snapshot" {
		t.Errorf("greeted with %q, want resync and snapshot", got)
	}
	if _, err := os.Stat(folder + "/" + journalName); err != nil {
		t.Error(err)
	}
}
