package main

// Goal: the server over real topics: what is published arrives, as the protocols say, and nothing
// is lost or doubled when the server is killed.
// Method: this test binary runs itself as petcam-server (a real process, which can be killed), in
// a private folder of topics; the test plays camera and detector through the Go binding.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"

	"signalbox.dev/petcam/server/internal/petcam"
)

const (
	asServer = "PETCAM_TEST_AS_SERVER"
	watchdog = 60 * time.Second
)

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(run(os.Args[1:]))
	}
	folder, err := os.MkdirTemp("/dev/shm", "petcam-server-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("SIGNALBOX_DIR", folder)
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// world is a domain of its own with a camera and a detector that the test plays.
type world struct {
	t        *testing.T
	domain   string
	state    string
	frames   *signalbox.Publisher[frameMessage]
	jpegs    *signalbox.Publisher[jpegMessage]
	found    *signalbox.Publisher[detectionsMessage]
	camera   *signalbox.Publisher[statsMessage]
	detector *signalbox.Publisher[statsMessage]
	started  time.Time
}

var domains int

func newWorld(t *testing.T) *world {
	domains++
	w := &world{t: t, domain: fmt.Sprintf("test-%d", domains), state: t.TempDir(),
		started: time.Now()}
	w.frames = publisher[frameMessage](w, framesTopic, 1280*720*3/2)
	w.jpegs = publisher[jpegMessage](w, jpegTopic, 1<<20)
	w.found = publisher[detectionsMessage](w, detectionsTopic, 0)
	w.camera = publisher[statsMessage](w, cameraStatsTopic, 0)
	w.detector = publisher[statsMessage](w, detectorStatsTopic, 0)
	return w
}

func publisher[T any](w *world, topic string, tail uint64) *signalbox.Publisher[T] {
	w.t.Helper()
	p, err := signalbox.OpenPublisher[T](topic, signalbox.PublisherOptions{
		Domain: w.domain, Depth: 4, TailBytesMax: tail})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { p.Close() })
	return p
}

func send[T any](t *testing.T, p *signalbox.Publisher[T], message *T, tail []byte) {
	t.Helper()
	if _, err := p.Send(message, tail); err != nil {
		t.Fatal(err)
	}
}

func now() uint64 { return uint64(petcam.MonotonicNs()) }

func (w *world) reportAs(p *signalbox.Publisher[statsMessage], name string) {
	w.t.Helper()
	m := statsMessage{Pid: uint32(os.Getpid()), State: 1, StartedNs: 1, UpdatedNs: now()}
	copy(m.Daemon[:], name)
	send(w.t, p, &m, nil)
}

// report is both daemons saying that they are well.
func (w *world) report() {
	w.reportAs(w.camera, "camera")
	w.reportAs(w.detector, "detector")
}

// keepReporting has both daemons say so all the time: 2 s after a last report they are missing.
func (w *world) keepReporting() {
	w.repeat(100*time.Millisecond, w.report)
}

// repeat does something again and again until the test ends.
func (w *world) repeat(every time.Duration, do func()) {
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			do()
			select {
			case <-stop:
				return
			case <-time.After(every):
			}
		}
	}()
	w.t.Cleanup(func() { close(stop); <-stopped })
}

// seen publishes one frame's detections: tracks of cats by their id and place.
func (w *world) seen(number uint64, cats ...[2]uint32) {
	w.t.Helper()
	m := detectionsMessage{Number: number, CaptureNs: now(), WallNs: uint64(time.Now().UnixNano()),
		Width: 1280, Height: 720, Count: uint32(len(cats))}
	copy(m.Detector[:], "motion")
	for i, cat := range cats {
		item := &m.Items[i]
		*item = detectionMessage{TrackID: cat[0], Score: .9, X: float32(cat[1]), Y: 100,
			W: 120, H: 90, State: 1}
		copy(item.Label[:], "cat")
	}
	send(w.t, w.found, &m, nil)
}

// server is a real process.
type server struct {
	t       *testing.T
	command *exec.Cmd
	url     string
	mu      sync.Mutex
	log     bytes.Buffer
	ended   chan struct{}
}

func (w *world) command(arguments ...string) *exec.Cmd {
	all := append([]string{"--domain", w.domain, "--state-dir", w.state}, arguments...)
	command := exec.Command(os.Args[0], all...)
	command.Env = append(os.Environ(), asServer+"=1")
	return command
}

func (w *world) serve(arguments ...string) *server {
	w.t.Helper()
	s := &server{t: w.t, ended: make(chan struct{}),
		command: w.command(append([]string{"--port", "0"}, arguments...)...)}
	out, err := s.command.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	s.command.Stderr = s
	if err := s.command.Start(); err != nil {
		w.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		w.t.Fatalf("petcam-server did not start: %v\n%s", err, s.text())
	}
	s.url = strings.TrimSuffix(strings.TrimSpace(line), "/")
	go func() {
		_ = s.command.Wait()
		close(s.ended)
	}()
	w.await("the server's subscription", func() bool {
		return w.found == nil || w.found.SubscriberCount() > 0
	})
	w.t.Cleanup(func() {
		_ = s.command.Process.Kill()
		<-s.ended
		if w.t.Failed() {
			w.t.Logf("petcam-server said:\n%s", s.text())
		}
	})
	return s
}

// await looks until it is so. Only for what has no event to wait for.
func (w *world) await(what string, isSo func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(watchdog); !isSo(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// await200 asks until the answer is there: the server itself waits for one only so long.
func (w *world) await200(s *server, path string) string {
	w.t.Helper()
	var code int
	var text string
	w.await(path, func() bool {
		code, text = s.body(path)
		return code == http.StatusOK
	})
	return text
}

func (s *server) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(text)
}

func (s *server) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *server) signal(what syscall.Signal) {
	s.t.Helper()
	if err := s.command.Process.Signal(what); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) awaitEnd() {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(watchdog):
		s.t.Fatal("petcam-server does not end")
	}
}

func (s *server) get(path string, headers ...string) *http.Response {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	s.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { response.Body.Close() })
	return response
}

func (s *server) body(path string) (int, string) {
	s.t.Helper()
	response := s.get(path)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// message is one of the event stream.
type message struct{ id, kind, data string }

// stream reads an event stream in the background.
type stream struct {
	messages chan message
	body     io.Closer
}

func (s *server) events(last string) *stream {
	s.t.Helper()
	var headers []string
	if last != "" {
		headers = []string{"Last-Event-ID", last}
	}
	response := s.get("/events", headers...)
	out := &stream{messages: make(chan message, 10_000), body: response.Body}
	go func() {
		defer close(out.messages)
		var m message
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			name, value, _ := strings.Cut(scanner.Text(), ": ")
			switch {
			case name == "id":
				m.id = value
			case name == "event":
				m.kind = value
			case name == "data":
				m.data = value
			case name == "" && m.kind != "":
				out.messages <- m
				m = message{}
			}
		}
	}()
	return out
}

func (s *server) next(from *stream) message {
	s.t.Helper()
	select {
	case m, open := <-from.messages:
		if !open {
			s.t.Fatal("the stream ended")
		}
		return m
	case <-time.After(watchdog):
		s.t.Fatal("waited in vain for an event")
	}
	return message{}
}

// until reads messages up to one that matches; it answers all it read. An empty kind is any.
func (s *server) until(from *stream, kind, part string) []message {
	s.t.Helper()
	var all []message
	for {
		m := s.next(from)
		all = append(all, m)
		if (kind == "" || m.kind == kind) && strings.Contains(m.data, part) {
			return all
		}
	}
}

func jsonOf[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

// Every struct of messages.hpp stands here with the same fields in the same order. Signalbox checks
// offsets and kinds at open; this check needs no other process.
func TestMessagesAreThoseOfTheCamera(t *testing.T) {
	header, err := os.ReadFile(filepath.Join("..", "camera", "messages.hpp"))
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]func(bool) (string, error){
		"Truth": signalbox.Describe[truthMessage], "Frame": signalbox.Describe[frameMessage],
		"Jpeg": signalbox.Describe[jpegMessage], "Detection": signalbox.Describe[detectionMessage],
		"Detections": signalbox.Describe[detectionsMessage], "Stats": signalbox.Describe[statsMessage],
	}
	for _, line := range strings.Split(string(header), "SBX_DESCRIBE(")[1:] {
		inside, _, _ := strings.Cut(line, ")")
		words := strings.FieldsFunc(inside, func(r rune) bool { return strings.ContainsRune(", \n", r) })
		name := strings.TrimPrefix(words[0], "petcam::")
		describe, known := described[name]
		if !known {
			t.Errorf("messages.go lacks %s", name)
			continue
		}
		text, err := describe(false)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fieldNames(text), strings.Join(words[1:], " "); got != want {
			t.Errorf("%s has the fields\n%s\nmessages.hpp\n%s", name, got, want)
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("messages.hpp lacks %s", name)
	}
}

// fieldNames are those of the outermost struct of a description.
func fieldNames(description string) string {
	var names []string
	depth, word := 0, ""
	for _, r := range description {
		switch r {
		case '{':
			depth++
			word = ""
		case '}':
			depth--
		case ',':
			word = ""
		case ':':
			if depth == 1 && word != "" {
				names = append(names, word)
			}
			word = ""
		default:
			word += string(r)
		}
	}
	return strings.Join(names, " ")
}
