package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"image/jpeg"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestEventsFromTheTopicToTheClient(t *testing.T) {
	w := newWorld(t)
	w.report()
	s := w.serve()
	live := s.events("")
	if first := s.next(live); first.kind != "snapshot" {
		t.Fatalf("first %+v, want a snapshot", first)
	}
	w.seen(1, [2]uint32{7, 100})
	news := s.until(live, "event", `"kind":"new"`)
	new := news[len(news)-1]
	if !strings.Contains(new.data, `"label":"cat"`) || !strings.Contains(new.data, new.id) {
		t.Errorf("new: %+v", new)
	}
	status := jsonOf[struct{ Scene map[string]any }](t, must200(t, s, "/api/v1/status"))
	if status.Scene["detector"] != "motion" {
		t.Errorf("scene %v", status.Scene)
	}
	// An event is told first and kept after that.
	w.await("the event in the history", func() bool {
		return strings.Contains(must200(t, s, "/api/v1/events?label=cat"), new.id)
	})
	for _, bad := range []string{"since=yesterday", "limit=0", "limit=many", "limit=100000"} {
		if code, text := s.body("/api/v1/events?" + bad); code != 400 {
			t.Errorf("%s: %d %s", bad, code, text)
		}
	}
}

func must200(t *testing.T, s *server, path string) string {
	t.Helper()
	code, text := s.body(path)
	if code != 200 {
		t.Fatalf("%s: %d %s", path, code, text)
	}
	return text
}

// The main promise: a client that resumes after the server was killed has seen each id once.
func TestKilledServerNeitherLosesNorDoublesAnEvent(t *testing.T) {
	w := newWorld(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() { // a detector that always has news
		defer close(stopped)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for number := uint64(0); ; number++ {
			select {
			case <-stop:
				return
			case <-ticker.C:
				if number%100 == 0 {
					w.report()
				}
				// Every 20 frames another cat, somewhere else: a new one and, later, an end.
				visit := uint32(number / 20)
				w.seen(number, [2]uint32{1 + visit, visit % 8 * 150})
			}
		}
	}()
	defer func() { close(stop); <-stopped }()

	last, previous, epoch := "", uint64(0), ""
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		s := w.serve()
		live := s.events(last)
		for range 5 + random.IntN(20) {
			m := s.next(live)
			if round > 0 && (m.kind == "snapshot" || m.kind == "resync") {
				t.Fatalf("round %d: %+v instead of what was missed", round, m)
			}
			if m.id == "" {
				t.Fatalf("round %d: %+v has no id", round, m)
			}
			of, number, _ := strings.Cut(m.id, "-")
			seq, err := strconv.ParseUint(number, 10, 64)
			if err != nil || epoch != "" && (of != epoch || seq != previous+1) {
				t.Fatalf("round %d: %s after %s-%d", round, m.id, epoch, previous)
			}
			last, previous, epoch = m.id, seq, of
		}
		s.signal(syscall.SIGKILL)
		s.awaitEnd()
		live.body.Close()
	}
}

func TestCameraIsAskedForPicturesOnlyWhileSomebodyWatches(t *testing.T) {
	w := newWorld(t)
	w.report()
	s := w.serve()
	live := s.events("")
	s.next(live)
	if n := w.jpegs.SubscriberCount(); n != 0 {
		t.Fatalf("%d subscribers though nobody watches", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), watchdog)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, s.url+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	w.awaitSubscribers(1)
	for number := uint64(10); number < 13; number++ {
		data := fmt.Sprintf("picture %d", number)
		send(t, w.jpegs, &jpegMessage{Number: number, CaptureNs: 1, PublishedNs: 2, Width: 64,
			Height: 48}, []byte(data))
		kind, got, err := conn.Read(ctx)
		if err != nil || kind != websocket.MessageBinary || len(got) < 32 {
			t.Fatalf("%v, %d bytes, %v", kind, len(got), err)
		}
		header := []uint64{
			binary.LittleEndian.Uint64(got), binary.LittleEndian.Uint64(got[8:]),
			binary.LittleEndian.Uint64(got[16:]), uint64(binary.LittleEndian.Uint32(got[24:])),
			uint64(binary.LittleEndian.Uint32(got[28:])),
		}
		if want := []uint64{number, 1, 2, 64, 48}; fmt.Sprint(header) != fmt.Sprint(want) {
			t.Errorf("header %v, want %v", header, want)
		}
		if string(got[32:]) != data {
			t.Errorf("JPEG %q, want %q", got[32:], data)
		}
	}
	conn.CloseNow()
	w.awaitSubscribers(0)
}

func (w *world) awaitSubscribers(count int) {
	w.t.Helper()
	w.await(fmt.Sprintf("%d subscribers of %s", count, jpegTopic), func() bool {
		return w.jpegs.SubscriberCount() == count
	})
}

func TestSnapshotWithBoxesAndPortraitComeFromTheRawFrame(t *testing.T) {
	w := newWorld(t)
	w.report()
	s := w.serve()
	live := s.events("")
	s.next(live)
	grey := make([]byte, 640*480*3/2)
	for i := range grey {
		grey[i] = 128
	}
	send(t, w.frames, &frameMessage{Number: 41, Width: 640, Height: 480, Stride: 640}, grey)
	w.seen(41, [2]uint32{7, 100})
	news := s.until(live, "event", `"kind":"new"`)
	id := news[len(news)-1].id
	portrait := strings.NewReader(w.await200(s, "/api/v1/events/"+id+"/portrait.jpg"))
	if picture, err := jpeg.Decode(portrait); err != nil || picture.Bounds().Dx() != 256 {
		t.Errorf("portrait: %v", err)
	}
	if code, _ := s.body("/api/v1/events/0badcafe-1/portrait.jpg"); code != 404 {
		t.Errorf("portrait of an unknown event: %d", code)
	}
	number := uint64(41)
	w.repeat(10*time.Millisecond, func() {
		number++
		send(t, w.frames, &frameMessage{Number: number, Width: 640, Height: 480, Stride: 640}, grey)
		w.seen(number, [2]uint32{7, 100})
	})
	picture, err := jpeg.Decode(strings.NewReader(w.await200(s, "/snapshot.jpg?boxes=1")))
	if err != nil || picture.Bounds().Dx() != 640 {
		t.Fatalf("snapshot: %v", err)
	}
	r, g, b, _ := picture.At(101, 150).RGBA()
	if max(r, g, b)-min(r, g, b) < 20<<8 {
		t.Errorf("no box on the picture: %v at its edge", picture.At(101, 150))
	}
}

func TestDaemonThatGoesAndComesIsTold(t *testing.T) {
	w := newWorld(t)
	w.report()
	s := w.serve()
	live := s.events("")
	s.next(live)
	w.detector.Close()
	w.reportAs(w.camera, "camera")
	s.until(live, "status", `"detector":{"state":"missing"`)
	if code, text := s.body("/readyz"); code != 503 || !strings.Contains(text, "missing") {
		t.Errorf("/readyz: %d %s", code, text)
	}
	w.detector = publisher[statsMessage](w, detectorStatsTopic, 0)
	w.keepReporting()
	s.until(live, "status", `"detector":{"state":"running"`)
	// The camera may have been away, in between, for as long as this test was slow.
	for code := 0; code != 200; {
		code, _ = s.body("/readyz")
	}
}

func TestPublisherOfAnotherTypeIsNamedAndDoesNotHarm(t *testing.T) {
	domains++
	w := &world{t: t, domain: fmt.Sprintf("test-%d", domains), state: t.TempDir()}
	type wrong struct{ Number uint32 }
	publisher[wrong](w, detectionsTopic, 0)
	s := w.serve()
	must200(t, s, "/healthz")
	w.await("the name of the field that differs", func() bool {
		return strings.Contains(s.text(), "number")
	})
}

func TestPageMetricsAndHealth(t *testing.T) {
	w := newWorld(t)
	w.keepReporting()
	s := w.serve()
	live := s.events("")
	s.next(live)
	page := s.get("/")
	if page.Header.Get("ETag") == "" || page.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("headers of the page: %v", page.Header)
	}
	if code, text := s.body("/"); code != 200 || !strings.Contains(text, "js/main.js") {
		t.Errorf("page: %d", code)
	}
	if code, text := s.body("/js/main.js"); code != 200 || !strings.Contains(text, "EventSource") &&
		!strings.Contains(text, "Feed") {
		t.Errorf("script: %d", code)
	}
	for _, path := range []string{"/nothing", "/js/", "/www.go", "/api/v1/nothing", "/tests/"} {
		if code, _ := s.body(path); code != 404 {
			t.Errorf("%s: %d, want 404", path, code)
		}
	}
	again := s.get("/", "If-None-Match", page.Header.Get("ETag"))
	if again.StatusCode != 304 {
		t.Errorf("the unchanged page: %d, want 304", again.StatusCode)
	}
	for _, want := range []string{
		`petcam_daemon_up{daemon="camera"} 1`, `petcam_wakes_total{daemon="detector",reason="ready"}`,
		"petcam_sse_clients 1", "petcam_build_info{", `petcam_cpu_seconds_total{daemon="server"}`,
		"petcam_jpeg_encodes_total", "petcam_sse_suppressed_total", "petcam_detect_latency_seconds_sum",
		"process_cpu_seconds_total",
	} {
		w.await("the metric "+want, func() bool {
			return strings.Contains(must200(t, s, "/metrics"), want)
		})
	}
}

func TestStoppedServerSaysGoodbyeAndLetsTheNextOneGoOn(t *testing.T) {
	w := newWorld(t)
	w.report()
	s := w.serve()
	live := s.events("")
	s.until(live, "", `"running"`)
	w.seen(1, [2]uint32{7, 100})
	news := s.until(live, "event", "new")
	s.signal(syscall.SIGTERM)
	s.until(live, "bye", "")
	s.awaitEnd()
	if code := s.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	next := w.serve()
	resumed := next.events(news[len(news)-1].id)
	w.seen(2, [2]uint32{7, 100})
	w.seen(3, [2]uint32{7, 100}, [2]uint32{8, 900})
	for _, m := range next.until(resumed, "event", `"track":8`) {
		if m.kind == "snapshot" || m.kind == "resync" || strings.Contains(m.data, `"track":7`) &&
			strings.Contains(m.data, `"kind":"new"`) {
			t.Errorf("after the restart %+v", m)
		}
	}
}

func TestReloadIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	w.report()
	path := filepath.Join(t.TempDir(), "petcam.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	zones := func(name string) string {
		return "detector: {zones: {" + name + ": [[0, 0], [1, 0], [1, 1]]}}\n"
	}
	write(zones("bowl"))
	s := w.serve("--config", path)
	live := s.events("")
	s.until(live, "", `"bowl"`)
	write(zones("sofa") + "server: {prot: 1}\n")
	s.signal(syscall.SIGHUP)
	w.await("the refusal of the bad file", func() bool {
		return strings.Contains(s.text(), "the old configuration stays")
	})
	write(zones("door") + "server: {token: 0123456789abcdef}\n")
	s.signal(syscall.SIGHUP)
	for _, m := range s.until(live, "status", `"door"`) {
		if strings.Contains(m.data, "sofa") {
			t.Errorf("part of a bad file came into force: %s", m.data)
		}
	}
	w.await("the name of what needs a restart", func() bool {
		return strings.Contains(s.text(), "server.token")
	})
}

func refusal(t *testing.T, command *exec.Cmd) (int, string) {
	t.Helper()
	text, _ := command.CombinedOutput()
	return command.ProcessState.ExitCode(), string(text)
}

func TestWhatCannotStartSaysWhyAndWhatToDo(t *testing.T) {
	w := newWorld(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := strconv.Itoa(busy.Addr().(*net.TCPAddr).Port)
	running := w.serve()
	_ = running
	bad := filepath.Join(t.TempDir(), "petcam.yaml")
	if err := os.WriteFile(bad, []byte("server: {prot: 1}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		arguments []string
		code      int
		want      []string
	}{
		"port in use":       {[]string{"--port", port}, exitPortBusy, []string{"port " + port, "--port"}},
		"state in use":      {[]string{"--port", "0"}, exitStateDir, []string{w.state, "--state-dir"}},
		"unknown key":       {[]string{"--config", bad}, exitConfig, []string{"prot", bad}},
		"no such file":      {[]string{"--config", "/none"}, exitConfig, []string{"/none"}},
		"open to everybody": {[]string{"--host", "0.0.0.0"}, exitConfig, []string{"--insecure"}},
		"unknown flag":      {[]string{"--prot", "1"}, exitUsage, []string{"prot"}},
		"stray word":        {[]string{"start"}, exitUsage, []string{"start"}},
		"not our address": {[]string{"--host", "192.0.2.1", "--insecure"}, exitPortBusy,
			[]string{"192.0.2.1"}},
	} {
		code, text := refusal(t, w.command(test.arguments...))
		if code != test.code {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, test.code, text)
		}
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q lacks %q", name, text, want)
			}
		}
	}
	code, text := refusal(t, w.command("--check-config"))
	if code != 0 || !strings.Contains(text, "good") {
		t.Errorf("--check-config: %d %s", code, text)
	}
}

func TestTokenGuardsEverything(t *testing.T) {
	w := newWorld(t)
	const token = "0123456789abcdef"
	s := w.serve("--token", token)
	for _, path := range []string{"/", "/ws", "/events", "/stream.mjpeg", "/api/v1/status"} {
		if code, _ := s.body(path); code != 401 {
			t.Errorf("%s without the token: %d", path, code)
		}
	}
	known := s.get("/api/v1/status", "Authorization", "Bearer "+token)
	if known.StatusCode != 200 {
		t.Errorf("with the token: %d", known.StatusCode)
	}
	lines := bufio.NewScanner(strings.NewReader(s.text()))
	link := ""
	for lines.Scan() {
		if _, after, found := strings.Cut(lines.Text(), "link="); found {
			link = strings.Trim(after, `"`)
		}
	}
	if !strings.HasPrefix(link, s.url+"/login?key=") {
		t.Fatalf("no one-time link in the log:\n%s", s.text())
	}
	if strings.Contains(s.text(), token) {
		t.Error("the token is in the log")
	}
}
