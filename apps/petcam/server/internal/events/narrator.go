package events

import (
	"encoding/json"
	"log/slog"
	"math"
	"slices"
	"time"

	"signalbox.dev/petcam/server/internal/petcam"
)

// Options decide what is worth telling. They may change while the server runs.
type Options struct {
	// MoveFraction of the frame's diagonal is how far a box must move to be told again.
	MoveFraction float64
	// PerSecondMax is the long-run rate of messages at which moves fall silent. Lifecycle messages
	// are always told, but use the same budget up.
	PerSecondMax float64
	// EndAfter is how long a subject may be gone before its event ends.
	EndAfter time.Duration
	// Settle is how long a new label or zone must hold before it is told.
	Settle time.Duration
	// AdoptWithin is how long events wait for their subjects after a daemon restarted.
	AdoptWithin time.Duration
}

// DefaultOptions keep the demo scene below 2.3 messages and 2.5 KB a second.
func DefaultOptions() Options {
	return Options{
		MoveFraction: 0.04,
		PerSecondMax: 2,
		EndAfter:     500 * time.Millisecond,
		Settle:       300 * time.Millisecond,
		AdoptWithin:  5 * time.Second,
	}
}

const (
	burstMax     = 2.0  // messages that may follow each other at once
	debtMax      = 10.0 // how far lifecycle messages may overdraw the budget
	sameOverlap  = 0.3  // boxes that overlap this much are one subject under two ids
	resizeFactor = 1.25 // a change of width or height that is told again
)

// Portrait asks for a picture of an event's subject: it looks better than ever before.
type Portrait struct {
	Event string
	Frame uint64
	Box   petcam.Box
}

// Narrator tells the hub what changed. It is used by one goroutine.
type Narrator struct {
	hub      *Hub
	log      *slog.Logger
	options  func() Options
	record   func(id string, change Lifecycle)
	portrait func(Portrait)

	visits      []*visit
	incarnation uint64
	frame       uint64
	heardNs     int64 // when the detector last spoke
	tokens      float64
	refilledNs  int64
}

// visit is an event that goes on.
type visit struct {
	event  Event
	box    petcam.Box // where the subject is now
	seenNs int64
	// orphan: its track id means nothing until a track adopts it, because the detector restarted,
	// or because we did (recovered), and then most probably it means what it meant.
	orphan    bool
	recovered bool
	adoptNs   int64
	sent      petcam.Box
	settling  settling
	best      float64 // how good the best portrait is
	bestNs    int64
}

// settling is a label and zone that must hold for a while before they count.
type settling struct {
	label, zone string
	sinceNs     int64
}

// NewNarrator goes on with the events that were open when the hub's journal ended. `record` hears
// of each lifecycle message after it was sent, `portrait` of each occasion for a better picture.
func NewNarrator(hub *Hub, options func() Options, log *slog.Logger,
	record func(id string, change Lifecycle), portrait func(Portrait)) *Narrator {
	now := petcam.MonotonicNs()
	n := &Narrator{
		hub: hub, log: log, options: options, record: record, portrait: portrait,
		tokens: burstMax, refilledNs: now, heardNs: now,
	}
	for _, event := range hub.State().Open {
		n.visits = append(n.visits, &visit{
			event: event, box: boxOf(event.Box), sent: boxOf(event.Box), seenNs: now,
			orphan: true, recovered: true, adoptNs: now,
			settling: settling{event.Label, event.Zone, now},
		})
	}
	return n
}

// Pending says that Tick has to be called within a second even if the detector says nothing.
func (n *Narrator) Pending() bool { return len(n.visits) > 0 }

// Observe takes in what the detector found in one frame.
func (n *Narrator) Observe(nowNs int64, d *petcam.Detections) {
	n.heardNs = nowNs
	n.frame = d.Number
	if n.incarnation != 0 && d.Incarnation != n.incarnation {
		n.orphanAll(nowNs)
	}
	n.incarnation = d.Incarnation
	n.hub.CountExamined(n.naiveBytes(d))

	told := false
	for _, newcomer := range n.recognise(nowNs, d.Tracks) {
		told = n.welcome(nowNs, d, newcomer) || told
	}
	told = n.endAbsent(nowNs) || told
	told = n.tellSettled(nowNs) || told
	told = n.tellMoves(nowNs, d) || told
	if !told {
		n.hub.CountSuppressed()
	}
}

// Tick ends what waits for a detector that has fallen silent.
func (n *Narrator) Tick(nowNs int64) {
	if nowNs-n.heardNs > n.options().AdoptWithin.Nanoseconds() {
		n.endWhere(func(*visit) (bool, string) { return true, "detector silent" })
	}
}

func (n *Narrator) orphanAll(nowNs int64) {
	for _, v := range n.visits {
		v.orphan, v.recovered, v.adoptNs = true, false, nowNs
	}
}

// recognise updates the visits of known tracks and answers the tracks nobody knows.
func (n *Narrator) recognise(nowNs int64, tracks []petcam.Track) []petcam.Track {
	var newcomers []petcam.Track
	for _, track := range tracks {
		if track.ID == 0 {
			continue // the detector does not follow it, so it has no life to tell of
		}
		at := slices.IndexFunc(n.visits, func(v *visit) bool {
			return !v.orphan && v.event.Track == track.ID
		})
		if at < 0 {
			newcomers = append(newcomers, track)
			continue
		}
		n.visits[at].see(nowNs, track)
	}
	return newcomers
}

// welcome gives a newcomer the visit of a subject that has just been lost in the same place, or
// begins a visit.
func (n *Narrator) welcome(nowNs int64, d *petcam.Detections, track petcam.Track) bool {
	v := n.lostVisit(nowNs, track)
	if v == nil {
		n.begin(nowNs, d, track)
		return true
	}
	v.orphan, v.recovered = false, false
	v.see(nowNs, track)
	if v.event.Track == track.ID {
		return false
	}
	v.event.Track = track.ID
	n.tell(v, "update", []string{"track"})
	return true
}

// lostVisit is the visit that a track nobody knows goes on with, or nil.
func (n *Narrator) lostVisit(nowNs int64, track petcam.Track) *visit {
	var found *visit
	nearest := float32(sameOverlap)
	for _, v := range n.visits {
		if v.seenNs == nowNs || v.event.Label != track.Label && v.settling.label != track.Label {
			continue
		}
		if overlap := v.box.Overlap(track.Box); overlap >= nearest {
			found, nearest = v, overlap
		}
		// While we were away it may have walked, but under the same id.
		if found == nil && v.recovered && v.event.Track == track.ID {
			found = v
		}
	}
	return found
}

func (n *Narrator) begin(nowNs int64, d *petcam.Detections, track petcam.Track) {
	v := &visit{event: Event{
		Track: track.ID, Label: track.Label, Zone: track.Zone,
		Start: int64(d.WallNs / uint64(time.Millisecond)),
	}}
	if track.Zone != "" {
		v.event.Zones = []string{track.Zone}
	}
	v.settling = settling{track.Label, track.Zone, nowNs}
	v.see(nowNs, track)
	n.visits = append(n.visits, v)
	n.tell(v, "new", nil)
	n.offerPortrait(nowNs, v, track.Score)
}

func (v *visit) see(nowNs int64, track petcam.Track) {
	v.seenNs = nowNs
	v.box = track.Box
	v.event.Box, v.event.Score = pixels(track.Box), percent(track.Score)
	if track.Label != v.settling.label || track.Zone != v.settling.zone {
		v.settling = settling{track.Label, track.Zone, nowNs}
	}
}

func (n *Narrator) endAbsent(nowNs int64) bool {
	o := n.options()
	return n.endWhere(func(v *visit) (bool, string) {
		if v.orphan {
			return nowNs-v.adoptNs > o.AdoptWithin.Nanoseconds(), "restart"
		}
		return nowNs-v.seenNs > o.EndAfter.Nanoseconds(), ""
	})
}

func (n *Narrator) endWhere(over func(*visit) (bool, string)) bool {
	told := false
	n.visits = slices.DeleteFunc(n.visits, func(v *visit) bool {
		ended, why := over(v)
		if ended {
			v.event.End, v.event.Why = time.Now().UnixMilli(), why
			n.tell(v, "end", nil)
			told = true
		}
		return ended
	})
	return told
}

func (n *Narrator) tellSettled(nowNs int64) bool {
	told := false
	for _, v := range n.visits {
		var changed []string
		if nowNs-v.settling.sinceNs < n.options().Settle.Nanoseconds() {
			continue
		}
		if v.settling.label != v.event.Label {
			v.event.Label = v.settling.label
			changed = append(changed, "label")
		}
		if v.settling.zone != v.event.Zone {
			v.event.Zone = v.settling.zone
			changed = append(changed, "zone")
			if v.event.Zone != "" && !slices.Contains(v.event.Zones, v.event.Zone) {
				// A fresh slice: messages already told keep theirs.
				v.event.Zones = append(slices.Clone(v.event.Zones), v.event.Zone)
			}
		}
		if changed != nil {
			n.tell(v, "update", changed)
			told = true
		}
	}
	return told
}

// tell publishes a lifecycle message, whatever the budget says.
func (n *Narrator) tell(v *visit, kind string, changed []string) {
	n.tokens = max(n.tokens-1, -debtMax)
	v.sent = v.box
	var change Lifecycle
	id, err := n.hub.Publish(TypeEvent, func(id string) any {
		if kind == "new" {
			v.event.ID = id
		}
		change = Lifecycle{Kind: kind, Frame: n.frame, Changed: changed, After: v.event}
		return change
	})
	if err != nil {
		n.log.Error("an event could not be told", "event", v.event.ID, "kind", kind, "reason", err)
		return
	}
	n.record(id, change)
}

// tellMoves publishes where everybody is once somebody moved materially and the budget allows.
func (n *Narrator) tellMoves(nowNs int64, d *petcam.Detections) bool {
	o := n.options()
	elapsed := float64(nowNs-n.refilledNs) / float64(time.Second)
	n.refilledNs = nowNs
	n.tokens = min(n.tokens+elapsed*o.PerSecondMax, burstMax)
	n.offerPortraits(nowNs, d)
	far := o.MoveFraction * math.Hypot(float64(d.Width), float64(d.Height))
	moved := slices.ContainsFunc(n.visits, func(v *visit) bool { return v.moved(far) })
	if !moved || n.tokens < 1 {
		return false
	}
	n.tokens--
	if _, err := n.hub.Publish(TypeTracks, func(string) any { return n.tracks() }); err != nil {
		n.log.Error("moves could not be told", "reason", err)
		return false
	}
	for _, v := range n.visits {
		v.sent = v.box
	}
	return true
}

func (v *visit) moved(far float64) bool {
	x, y := v.box.Center()
	sentX, sentY := v.sent.Center()
	if math.Hypot(float64(x-sentX), float64(y-sentY)) > far {
		return true
	}
	return resized(v.box.W, v.sent.W) || resized(v.box.H, v.sent.H)
}

func resized(now, before float32) bool {
	return now > before*resizeFactor || before > now*resizeFactor
}

func (n *Narrator) tracks() Tracks {
	out := Tracks{Frame: n.frame, Tracks: make([]Track, 0, len(n.visits))}
	for _, v := range n.visits {
		out.Tracks = append(out.Tracks, Track{
			ID: v.event.ID, Track: v.event.Track, Label: v.event.Label, Zone: v.event.Zone,
			Box: v.event.Box, Score: v.event.Score,
		})
	}
	return out
}

// naiveBytes is what this frame's detections would have cost as a message of their own.
func (n *Narrator) naiveBytes(d *petcam.Detections) int {
	all := Tracks{Frame: d.Number, Tracks: make([]Track, 0, len(d.Tracks))}
	for _, t := range d.Tracks {
		all.Tracks = append(all.Tracks, Track{
			ID: "00000000-0000", Track: t.ID, Label: t.Label, Zone: t.Zone,
			Box: pixels(t.Box), Score: percent(t.Score),
		})
	}
	body, err := json.Marshal(all)
	if err != nil {
		return 0 // a score that is no number: not worth a failure
	}
	return len(wire(all.id(), TypeTracks, body))
}

func (Tracks) id() string { return "00000000-000000" }
