package video

// Goal: each viewer gets the newest frame and no other, framed as its protocol says; the camera is
// asked for pictures exactly while somebody watches.
// Method: the hub and the handlers over real sockets; frames come from a channel, so that the test
// decides when one is published.

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"signalbox.dev/petcam/server/internal/petcam"
)

const watchdog = 20 * time.Second

// camera is a topic in a channel.
type camera struct {
	frames chan *petcam.Jpeg
	open   atomic.Int32
	opened chan struct{}
	closed chan struct{}
}

func newCamera() *camera {
	return &camera{
		frames: make(chan *petcam.Jpeg), opened: make(chan struct{}, 100),
		closed: make(chan struct{}, 100),
	}
}

type subscription struct{ *camera }

func (c *camera) subscribe() (petcam.Source[*petcam.Jpeg], error) {
	c.open.Add(1)
	c.opened <- struct{}{}
	return subscription{c}, nil
}

func (s subscription) Receive(ctx context.Context) (*petcam.Jpeg, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case frame := <-s.frames:
		return frame, nil
	}
}

func (s subscription) Publishers() int { return 1 }
func (s subscription) Lost() uint64    { return 0 }
func (s subscription) Close() {
	s.open.Add(-1)
	s.closed <- struct{}{}
}

func picture(number uint64) *petcam.Jpeg {
	data := []byte("JPEG " + strconv.FormatUint(number, 10))
	message := make([]byte, petcam.HeaderBytes, petcam.HeaderBytes+len(data))
	binary.LittleEndian.PutUint64(message, number)
	binary.LittleEndian.PutUint64(message[8:], 1000+number)
	binary.LittleEndian.PutUint32(message[24:], 640)
	binary.LittleEndian.PutUint32(message[28:], 480)
	return &petcam.Jpeg{Number: number, WallNs: 1_700_000_000_123_456_789,
		Message: append(message, data...)}
}

func setUp(t *testing.T) (*Hub, *camera) {
	c := newCamera()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	hub := NewHub(c.subscribe, func(*petcam.Jpeg) {}, log)
	t.Cleanup(hub.Close)
	return hub, c
}

func await(t *testing.T, what string, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(watchdog):
		t.Fatalf("waited in vain for %s", what)
	}
}

func (c *camera) publish(t *testing.T, number uint64) {
	t.Helper()
	select {
	case c.frames <- picture(number):
	case <-time.After(watchdog):
		t.Fatalf("nobody takes frame %d", number)
	}
}

func receive(t *testing.T, v *Viewer) *petcam.Jpeg {
	t.Helper()
	select {
	case frame, open := <-v.Frames:
		if !open {
			t.Fatal("the hub ended the viewer")
		}
		return frame
	case <-time.After(watchdog):
		t.Fatal("waited in vain for a frame")
	}
	return nil
}

func TestSubscribedExactlyWhileSomebodyWatches(t *testing.T) {
	hub, c := setUp(t)
	if c.open.Load() != 0 {
		t.Fatal("subscribed though nobody watches")
	}
	for range 3 {
		first, second := hub.Join(false), hub.Join(false)
		await(t, "the subscription", c.opened)
		first.Leave()
		first.Leave() // twice is fine
		c.publish(t, 1)
		receive(t, second)
		second.Leave()
		await(t, "the end of the subscription", c.closed)
		if n := c.open.Load(); n != 0 {
			t.Fatalf("%d subscriptions though nobody watches", n)
		}
	}
}

func TestSlowViewerGetsTheNewestFrameAndHarmsNobody(t *testing.T) {
	hub, c := setUp(t)
	slow, quick := hub.Join(false), hub.Join(false)
	for number := range uint64(50) {
		c.publish(t, number)
		if got := receive(t, quick).Number; got != number {
			t.Fatalf("the quick viewer got %d, want %d", got, number)
		}
	}
	hub.Viewers() // the last broadcast is over once this has the lock
	if got := receive(t, slow).Number; got != 49 {
		t.Errorf("the slow viewer got %d, want the newest, 49", got)
	}
	if got := hub.Counts().Replaced; got != 49 {
		t.Errorf("%d frames were replaced, want 49", got)
	}
}

func TestMJPEGSendsTheBoundaryRightBehindEachFrame(t *testing.T) {
	hub, c := setUp(t)
	server := httptest.NewServer(http.HandlerFunc(hub.ServeMJPEG))
	defer server.Close()
	defer hub.Close()
	response := get(t, server.URL)
	kind, parameters, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/x-mixed-replace" {
		t.Fatalf("content type %q, %v", response.Header.Get("Content-Type"), err)
	}
	lines := bufio.NewReader(response.Body)
	end := "--" + parameters["boundary"] + "\r\n"
	read := func(bytes int) string {
		t.Helper()
		text := make([]byte, bytes)
		if _, err := io.ReadFull(lines, text); err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := read(len(end)); got != end {
		t.Fatalf("begins with %q, want the boundary", got)
	}
	for number := range uint64(3) {
		c.publish(t, number)
		// No other frame follows, yet all of this one and the boundary behind it must come.
		header := ""
		for !strings.HasSuffix(header, "\r\n\r\n") {
			header += read(1)
		}
		data := string(picture(number).Data())
		for _, want := range []string{
			"Content-Type: image/jpeg\r\n", "Content-Length: " + strconv.Itoa(len(data)) + "\r\n",
			"X-Frame-Number: " + strconv.FormatUint(number, 10) + "\r\n",
			"X-Timestamp: 1700000000.123456\r\n",
		} {
			if !strings.Contains(header, want) {
				t.Errorf("part header %q lacks %q", header, want)
			}
		}
		if got := read(len(data) + 2 + len(end)); got != data+"\r\n"+end {
			t.Fatalf("part %q, want %q", got, data+"\r\n"+end)
		}
	}
}

func TestMJPEGIsReadByAnOrdinaryMultipartReader(t *testing.T) {
	hub, c := setUp(t)
	server := httptest.NewServer(http.HandlerFunc(hub.ServeMJPEG))
	defer server.Close()
	defer hub.Close()
	parts := multipart.NewReader(get(t, server.URL).Body, boundary)
	for number := range uint64(2) {
		c.publish(t, number)
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(part)
		if err != nil || string(data) != string(picture(number).Data()) {
			t.Fatalf("part %q, %v", data, err)
		}
	}
}

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func TestSnapshotIsAFreshFrame(t *testing.T) {
	hub, c := setUp(t)
	server := httptest.NewServer(http.HandlerFunc(hub.ServeSnapshot))
	defer server.Close()
	go func() {
		<-c.opened
		c.frames <- picture(7)
	}()
	response := get(t, server.URL)
	data, err := io.ReadAll(response.Body)
	if err != nil || string(data) != string(picture(7).Data()) ||
		response.Header.Get("X-Frame-Number") != "7" {
		t.Fatalf("snapshot %q of frame %s, %v", data, response.Header.Get("X-Frame-Number"), err)
	}
	await(t, "the end of the subscription", c.closed)
}

func dial(t *testing.T, hub *Hub, query string) (*websocket.Conn, context.Context) {
	t.Helper()
	server := httptest.NewServer(&WebSocket{Hub: hub, Stats: func() any { return "fine" }})
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	conn, _, err := websocket.Dial(ctx, server.URL+"/ws"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.CloseNow()
		hub.Close()
		cancel()
		server.Close()
	})
	return conn, ctx
}

func read(t *testing.T, ctx context.Context, conn *websocket.Conn) (bool, []byte) {
	t.Helper()
	kind, data, err := conn.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return kind == websocket.MessageBinary, data
}

func TestWebSocketSendsHeaderAndJPEGAndNothingElseUnasked(t *testing.T) {
	hub, c := setUp(t)
	conn, ctx := dial(t, hub, "")
	await(t, "the subscription", c.opened)
	hub.ShowBoxes(1, []byte("[]"))
	for number := range uint64(3) {
		c.publish(t, number)
		binaryMessage, data := read(t, ctx, conn)
		if !binaryMessage || string(data) != string(picture(number).Message) {
			t.Fatalf("message %q, want frame %d", data, number)
		}
	}
	conn.CloseNow()
	await(t, "the end of the subscription", c.closed)
}

func TestWebSocketSendsWhatWasAskedFor(t *testing.T) {
	hub, c := setUp(t)
	conn, ctx := dial(t, hub, "?with=boxes,stats")
	await(t, "the subscription", c.opened)
	if _, data := read(t, ctx, conn); string(data) != `{"stats":"fine"}` {
		t.Fatalf("first message %q, want the stats", data)
	}
	hub.ShowBoxes(5, []byte(`[{"track":1}]`))
	hub.ShowBoxes(6, []byte(`[{"track":1}]`)) // unchanged: not worth a message
	hub.ShowBoxes(7, []byte(`[]`))
	var texts []string
	for len(texts) == 0 || !strings.Contains(texts[len(texts)-1], `"frame":7`) {
		_, data := read(t, ctx, conn)
		texts = append(texts, string(data))
	}
	if strings.Contains(strings.Join(texts, ""), `"frame":6`) {
		t.Errorf("unchanged boxes were sent: %q", texts)
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"clock":12.5}`)); err != nil {
		t.Fatal(err)
	}
	for {
		_, data := read(t, ctx, conn)
		var answer struct {
			Clock float64
			Now   int64 `json:"now_ns"`
		}
		if json.Unmarshal(data, &answer) == nil && answer.Clock == 12.5 {
			if answer.Now <= 0 || answer.Now > petcam.MonotonicNs() {
				t.Errorf("our clock is said to be %d", answer.Now)
			}
			return
		}
	}
}

func TestAcknowledgingClientIsNeverMoreThanTwoFramesBehind(t *testing.T) {
	hub, c := setUp(t)
	conn, ctx := dial(t, hub, "?with=acks")
	await(t, "the subscription", c.opened)
	numbers := make(chan uint64, 100)
	go func() {
		for {
			_, data, err := conn.Read(ctx)
			if err != nil {
				return
			}
			numbers <- binary.LittleEndian.Uint64(data)
		}
	}()
	c.publish(t, 0)
	if got := <-numbers; got != 0 {
		t.Fatalf("got frame %d, want 0", got)
	}
	c.publish(t, 1)
	if got := <-numbers; got != 1 {
		t.Fatalf("got frame %d, want 1", got)
	}
	// Two are out and not acknowledged: whatever follows waits here, the newest only.
	witness := hub.Join(false)
	for number := uint64(2); number < 30; number++ {
		c.publish(t, number)
		receive(t, witness)
	}
	hub.Viewers() // the last broadcast is over once this has the lock
	select {
	case got := <-numbers:
		t.Fatalf("frame %d was sent before an acknowledgement", got)
	default:
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte(`{"ack":0}`)); err != nil {
		t.Fatal(err)
	}
	if got := <-numbers; got != 29 {
		t.Fatalf("after the acknowledgement frame %d, want the newest, 29", got)
	}
}

func TestPausedPageAsksTheCameraForNothing(t *testing.T) {
	hub, c := setUp(t)
	conn, ctx := dial(t, hub, "?with=stats,still")
	if _, data := read(t, ctx, conn); string(data) != `{"stats":"fine"}` {
		t.Fatalf("first message %q, want the stats", data)
	}
	if c.open.Load() != 0 || hub.Viewers() != 0 {
		t.Errorf("%d viewers, %d subscriptions, want none", hub.Viewers(), c.open.Load())
	}
}

func TestWebSocketIsToldWhenTheServerStops(t *testing.T) {
	for _, query := range []string{"", "?with=stats,still"} {
		hub, _ := setUp(t)
		conn, ctx := dial(t, hub, query)
		if query != "" {
			read(t, ctx, conn)
		}
		hub.Close()
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				if websocket.CloseStatus(err) != websocket.StatusGoingAway {
					t.Errorf("%q: closed with %v, want going away", query, err)
				}
				break
			}
		}
	}
}

func TestUnknownWishesAndNoiseAreRefused(t *testing.T) {
	hub, _ := setUp(t)
	server := httptest.NewServer(&WebSocket{Hub: hub, Stats: func() any { return nil }})
	defer server.Close()
	if response := get(t, server.URL+"/ws?with=everything"); response.StatusCode != 400 {
		t.Errorf("unknown wish: %d, want 400", response.StatusCode)
	}
	for _, noise := range []string{"no json", strings.Repeat("x", 2*requestMax)} {
		conn, ctx := dial(t, hub, "")
		if err := conn.Write(ctx, websocket.MessageText, []byte(noise)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) <= 0 {
			t.Errorf("after noise: %v, want a close with its reason", err)
		}
		hub, _ = setUp(t)
	}
}
