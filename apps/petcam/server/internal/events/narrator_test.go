package events

// Goal: a client hears of each change once and of nothing else, within the budget.
// Method: a script of frames at 30 a second of pretended time; the hub is the real one.

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox.dev/petcam/server/internal/petcam"
)

const frameTime = time.Second / 30

// script feeds frames to a narrator and collects what it tells.
type script struct {
	t         *testing.T
	hub       *Hub
	narrator  *Narrator
	client    *Client
	now       int64
	frame     uint64
	run       uint64 // the detector's incarnation
	told      []received
	bytes     int
	recorded  []string
	portraits []Portrait
}

func newScript(t *testing.T, folder string) *script {
	s := &script{t: t, hub: openHub(t, folder), run: 1, now: petcam.MonotonicNs()}
	s.narrator = NewNarrator(s.hub, DefaultOptions, quiet(),
		func(id string, change Lifecycle) { s.recorded = append(s.recorded, change.Kind) },
		func(p Portrait) { s.portraits = append(s.portraits, p) })
	s.client = s.hub.Join(s.hub.Position())
	return s
}

// frames shows the same tracks for so long; answers what was told meanwhile.
func (s *script) frames(duration time.Duration, tracks ...petcam.Track) []received {
	return s.moving(duration, func(time.Duration) []petcam.Track { return tracks })
}

func (s *script) moving(duration time.Duration, at func(time.Duration) []petcam.Track) []received {
	before := len(s.told)
	for passed := time.Duration(0); passed < duration; passed += frameTime {
		s.now += frameTime.Nanoseconds()
		s.frame++
		s.narrator.Observe(s.now, &petcam.Detections{
			Number: s.frame, WallNs: uint64(s.now), Width: 1280, Height: 720,
			Incarnation: s.run, Tracks: at(passed),
		})
		s.drain()
	}
	return s.told[before:]
}

func (s *script) silence(duration time.Duration) []received {
	before := len(s.told)
	for passed := time.Duration(0); passed < duration; passed += time.Second {
		s.now += time.Second.Nanoseconds()
		s.narrator.Tick(s.now)
		s.drain()
	}
	return s.told[before:]
}

func (s *script) drain() {
	for {
		select {
		case text := <-s.client.Queue:
			s.bytes += len(text)
			s.told = append(s.told, parseStream(string(text))...)
		default:
			return
		}
	}
}

// summary says what was told in words such as "new cat" and "update zone".
func summary(t *testing.T, told []received) string {
	t.Helper()
	var out []string
	for _, m := range told {
		if m.kind != TypeEvent {
			out = append(out, m.kind)
			continue
		}
		var change Lifecycle
		if err := json.Unmarshal([]byte(m.data), &change); err != nil {
			t.Fatal(err)
		}
		words := append([]string{change.Kind, change.After.Label}, change.Changed...)
		out = append(out, strings.Join(words, " "))
	}
	return strings.Join(out, ", ")
}

func (s *script) expect(told []received, want string) {
	s.t.Helper()
	if got := summary(s.t, told); got != want {
		s.t.Fatalf("told %q, want %q", got, want)
	}
}

func cat(id uint32, x, y float32) petcam.Track {
	return petcam.Track{ID: id, Label: "cat", Score: .9, Box: petcam.Box{X: x, Y: y, W: 120, H: 90}}
}

func in(zone string, track petcam.Track) petcam.Track {
	track.Zone = zone
	return track
}

func TestLifeOfOneVisit(t *testing.T) {
	s := newScript(t, t.TempDir())
	s.expect(s.frames(time.Second), "")
	s.expect(s.frames(5*time.Second, cat(3, 100, 100)), "new cat")
	s.expect(s.frames(time.Second, in("bowl", cat(3, 100, 100))), "update cat zone")
	s.expect(s.frames(time.Second, cat(3, 100, 100)), "update cat zone")
	s.expect(s.frames(time.Second), "end cat")
	s.expect(s.frames(time.Second), "")

	var first, last Lifecycle
	if json.Unmarshal([]byte(s.told[0].data), &first) != nil ||
		json.Unmarshal([]byte(s.told[3].data), &last) != nil {
		t.Fatal("the data is no JSON")
	}
	if first.After.ID != s.told[0].id || last.After.ID != first.After.ID {
		t.Errorf("the event is called %s, then %s; its first message %s", first.After.ID,
			last.After.ID, s.told[0].id)
	}
	if last.After.End == 0 || !slices.Equal(last.After.Zones, []string{"bowl"}) {
		t.Errorf("at the end %+v, want an end and the zone it has been in", last.After)
	}
	if want := []string{"new", "update", "update", "end"}; !slices.Equal(s.recorded, want) {
		t.Errorf("recorded %v, want %v", s.recorded, want)
	}
}

func TestNothingIsToldWhileNothingChanges(t *testing.T) {
	s := newScript(t, t.TempDir())
	s.frames(time.Second, cat(1, 100, 100), cat(2, 600, 300))
	step := float32(0)
	told := s.moving(time.Minute, func(time.Duration) []petcam.Track {
		step = 5 - step // it breathes
		return []petcam.Track{cat(1, 100+step, 100), cat(2, 600, 300+step)}
	})
	s.expect(told, "")
	if got := s.hub.Counts().Suppressed; got < 1800 {
		t.Errorf("%d suppressed, want all 1800 frames", got)
	}
}

func TestGapsShorterThanTheGraceAndFlickeringZonesAreNotTold(t *testing.T) {
	s := newScript(t, t.TempDir())
	s.expect(s.frames(time.Second, cat(1, 100, 100)), "new cat")
	s.expect(s.frames(400*time.Millisecond), "")
	s.expect(s.frames(time.Second, cat(1, 100, 100)), "")
	for range 10 {
		s.expect(s.frames(200*time.Millisecond, in("bowl", cat(1, 100, 100))), "")
		s.expect(s.frames(200*time.Millisecond, cat(1, 100, 100)), "")
	}
}

func TestTrackThatComesBackUnderAnotherIdIsTheSameVisit(t *testing.T) {
	s := newScript(t, t.TempDir())
	s.expect(s.frames(time.Second, cat(1, 100, 100)), "new cat")
	s.frames(200 * time.Millisecond)
	s.expect(s.frames(time.Second, cat(2, 120, 110)), "update cat track")
	// Somewhere else, or something else, it is another visit.
	s.frames(200 * time.Millisecond)
	s.expect(s.frames(time.Second, cat(3, 900, 500)), "new cat, end cat")
	s.frames(200 * time.Millisecond)
	dog := cat(4, 900, 500)
	dog.Label = "dog"
	s.expect(s.frames(time.Second, dog), "new dog, end cat")
}

func TestRestartedDetectorGoesOnWithTheSameVisits(t *testing.T) {
	s := newScript(t, t.TempDir())
	s.frames(time.Second, cat(1, 100, 100), cat(2, 600, 300))
	s.expect(s.silence(3*time.Second), "")
	s.run = 2
	// Its ids begin anew: number 1 is now who was number 2, and the other one has left.
	s.expect(s.frames(4*time.Second, cat(1, 610, 310)), "update cat track")
	s.expect(s.frames(2*time.Second, cat(1, 610, 310)), "end cat")
}

func TestDetectorThatStaysSilentEndsAllVisits(t *testing.T) {
	s := newScript(t, t.TempDir())
	s.frames(time.Second, cat(1, 100, 100), cat(2, 600, 300))
	s.expect(s.silence(8*time.Second), "end cat, end cat")
	if !strings.Contains(s.told[len(s.told)-1].data, `"why":"detector silent"`) {
		t.Errorf("told %s, want why", s.told[len(s.told)-1].data)
	}
}

func TestRestartedServerGoesOnWithTheSameVisits(t *testing.T) {
	folder := t.TempDir()
	before := newScript(t, folder)
	before.frames(time.Second, cat(1, 100, 100), cat(2, 600, 300))
	before.hub.Close()
	after := newScript(t, folder)
	after.expect(after.frames(4*time.Second, cat(2, 600, 300)), "")
	after.expect(after.frames(2*time.Second, cat(2, 600, 300)), "end cat")
}

func TestMovesAreCoalescedAndTheLatestWins(t *testing.T) {
	s := newScript(t, t.TempDir())
	s.frames(10*time.Second, cat(1, 0, 100))
	told := s.moving(10*time.Second, func(passed time.Duration) []petcam.Track {
		return []petcam.Track{cat(1, float32(passed.Seconds()*110), 100)}
	})
	for _, m := range told {
		if m.kind != TypeTracks {
			t.Fatalf("told %+v, want moves only", m)
		}
	}
	if n := len(told); n < 10 || n > 22 {
		t.Errorf("%d moves in 10 s, want about two a second", n)
	}
	var last Tracks
	if err := json.Unmarshal([]byte(told[len(told)-1].data), &last); err != nil {
		t.Fatal(err)
	}
	far := .04 * math.Hypot(1280, 720)
	if behind := 1100 - float64(last.Tracks[0].Box[0]); behind > far+110 {
		t.Errorf("the last move told is %.0f pixels behind", behind)
	}
}

// A scene as busy as a demo gets: three animals that walk all the time, zones entered and left, one
// animal that hides every few seconds.
func TestBusySceneStaysWithinTheBudget(t *testing.T) {
	s := newScript(t, t.TempDir())
	const seconds = 60
	s.moving(seconds*time.Second, func(passed time.Duration) []petcam.Track {
		at := passed.Seconds()
		sway := func(period, width float64) float32 {
			return float32(600 + width*math.Sin(2*math.Pi*at/period))
		}
		tracks := []petcam.Track{cat(1, sway(8, 500), 200), cat(2, sway(11, 400), 400)}
		if tracks[0].Box.X > 900 {
			tracks[0].Zone = "bowl"
		}
		if int(at)%6 < 4 {
			tracks = append(tracks, cat(uint32(10+int(at)/6), sway(5, 300), 500))
		}
		return tracks
	})
	perSecond, bytesPerSecond := float64(len(s.told))/seconds, float64(s.bytes)/seconds
	t.Logf("%.2f messages and %.0f bytes a second", perSecond, bytesPerSecond)
	if perSecond > 2.3 || bytesPerSecond > 2500 {
		t.Errorf("%.2f messages and %.0f bytes a second, the budget is 2.3 and 2500", perSecond,
			bytesPerSecond)
	}
}

func TestPortraitsAreAskedForWhenTheyGetBetter(t *testing.T) {
	s := newScript(t, t.TempDir())
	size := float32(50)
	grow := func(time.Duration) []petcam.Track {
		size += .5
		track := cat(1, 100, 100)
		track.Box.W, track.Box.H = size, size
		return []petcam.Track{track}
	}
	s.moving(10*time.Second, grow)
	if n := len(s.portraits); n < 3 || n > 10 {
		t.Errorf("%d portraits asked for in 10 s of coming nearer, want a few", n)
	}
	coasting := cat(1, 100, 100)
	coasting.Box.W, coasting.Box.H, coasting.Coasting = 600, 600, true
	before := len(s.portraits)
	s.frames(2*time.Second, coasting)
	if len(s.portraits) != before {
		t.Error("a portrait was asked for of a subject nobody sees")
	}
}

func TestUntrackedDetectionsHaveNoLife(t *testing.T) {
	s := newScript(t, t.TempDir())
	s.expect(s.frames(time.Second, cat(0, 100, 100)), "")
}

func TestRateAveragesWholeSeconds(t *testing.T) {
	now := time.Now()
	rate := newRateAt(func() time.Time { return now })
	if got := rate.PerSecond(); got != (PerSecond{}) {
		t.Errorf("before the first second %+v", got)
	}
	for range 20 {
		rate.Add(100)
		now = now.Add(500 * time.Millisecond)
	}
	if got := rate.PerSecond(); got != (PerSecond{2, 200}) {
		t.Errorf("after 10 s of two a second: %+v", got)
	}
	now = now.Add(5 * time.Second)
	if got := rate.PerSecond(); got != (PerSecond{1, 100}) {
		t.Errorf("5 s later: %+v", got)
	}
	now = now.Add(time.Minute)
	if got := rate.PerSecond(); got != (PerSecond{}) {
		t.Errorf("a minute later: %+v", got)
	}
}
