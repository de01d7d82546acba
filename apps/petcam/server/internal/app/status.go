package app

import (
	"encoding/json"
	"math"
	"time"

	"signalbox.dev/petcam/server/internal/config"
	"signalbox.dev/petcam/server/internal/daemons"
	"signalbox.dev/petcam/server/internal/events"
	"signalbox.dev/petcam/server/internal/petcam"
)

// scene is what the detector looks at and with what.
type scene struct {
	Detector string        `json:"detector,omitempty"`
	Demo     bool          `json:"demo,omitempty"` // the labels are only good for the built-in scene
	Width    uint32        `json:"width,omitempty"`
	Height   uint32        `json:"height,omitempty"`
	Zones    []config.Zone `json:"zones,omitempty"`
}

// status is the data of a status message.
type status struct {
	Daemons map[string]daemons.Status `json:"daemons"`
	Scene   scene                     `json:"scene"`
}

// rememberStatus goes on from what an earlier process told last.
func (a *App) rememberStatus() {
	text := a.hub.State().Status
	var last status
	if json.Unmarshal(text, &last) == nil {
		a.status, a.scene = string(text), last.Scene
	}
}

func (a *App) noteScene(d *petcam.Detections) {
	a.statusMu.Lock()
	next := scene{
		Detector: d.Detector, Demo: d.DemoScene, Width: d.Width, Height: d.Height,
		Zones: a.scene.Zones,
	}
	changed := next.Detector != a.scene.Detector || next.Demo != a.scene.Demo ||
		next.Width != a.scene.Width || next.Height != a.scene.Height
	a.scene = next
	a.statusMu.Unlock()
	if changed {
		a.publishStatus()
	}
}

// publishStatus tells how the daemons are, unless that is what was told last.
func (a *App) publishStatus() {
	reporting, complete := a.board.Status()
	if !complete {
		return
	}
	a.statusMu.Lock()
	defer a.statusMu.Unlock()
	a.scene.Zones = a.Settings().Zones
	reporting[daemons.Server] = a.own.Status()
	now := status{Daemons: reporting, Scene: a.scene}
	text, err := json.Marshal(now)
	if err != nil || string(text) == a.status {
		return
	}
	if _, err := a.hub.Publish(events.TypeStatus, func(string) any { return now }); err != nil {
		a.log.Warn("a change of status could not be told", "reason", err)
		return
	}
	a.status = string(text)
}

// report is what /api/v1/status answers and /ws sends each second to those who ask.
type report struct {
	NowNs    int64                     `json:"now_ns"` // CLOCK_MONOTONIC, for the age of frames
	Now      int64                     `json:"now"`    // milliseconds since 1970
	Position string                    `json:"position"`
	Version  string                    `json:"version"`
	Daemons  map[string]daemons.Report `json:"daemons"`
	Scene    scene                     `json:"scene"`
	Events   eventsReport              `json:"events"`
	Video    videoReport               `json:"video"`
}

type eventsReport struct {
	Clients    int              `json:"clients"`
	Sent       events.PerSecond `json:"sent"`        // to each client
	EveryFrame events.PerSecond `json:"every_frame"` // what it would get without change detection
	Suppressed uint64           `json:"suppressed"`
}

type videoReport struct {
	Viewers  int    `json:"viewers"`
	Sent     uint64 `json:"sent"`
	Replaced uint64 `json:"replaced"`
}

func (a *App) report() report {
	reports := a.board.Reports()
	reports[daemons.Server] = a.own.Report()
	sent, naive := a.hub.Rates()
	a.statusMu.Lock()
	scene := a.scene
	a.statusMu.Unlock()
	counts := a.video.Counts()
	return report{
		NowNs: petcam.MonotonicNs(), Now: time.Now().UnixMilli(), Position: a.hub.Position(),
		Version: a.version, Daemons: reports, Scene: scene,
		Events: eventsReport{
			Clients: a.hub.Clients(), Sent: sent, EveryFrame: naive,
			Suppressed: a.hub.Counts().Suppressed,
		},
		Video: videoReport{
			Viewers: a.video.Viewers(), Sent: counts.Sent, Replaced: counts.Replaced,
		},
	}
}

// readiness is what /readyz answers.
type readiness struct {
	Ready    bool            `json:"ready"`
	Camera   daemonReadiness `json:"camera"`
	Detector daemonReadiness `json:"detector"`
	FrameAge int64           `json:"frame_age_ms"` // of the newest frame examined; -1: none yet
}

type daemonReadiness struct {
	State petcam.State `json:"state"`
	Note  string       `json:"note,omitempty"`
	AgeMs int64        `json:"age_ms"` // of its last report; -1: never
}

func (a *App) readiness() readiness {
	reports := a.board.Reports()
	of := func(name string) daemonReadiness {
		r := reports[name]
		return daemonReadiness{State: r.State, Note: r.Note, AgeMs: r.AgeMs}
	}
	out := readiness{Camera: of(daemons.Camera), Detector: of(daemons.Detector), FrameAge: -1}
	if d := a.newest.get(); d != nil {
		age := time.Duration(petcam.MonotonicNs() - int64(d.CaptureNs))
		out.FrameAge = max(0, age.Milliseconds())
	}
	out.Ready = out.Camera.State == petcam.Running && out.Detector.State == petcam.Running
	return out
}

// boxJSON is one track for the live picture, exact in every frame.
type boxJSON struct {
	Track    uint32     `json:"track"`
	Label    string     `json:"label"`
	Zone     string     `json:"zone,omitempty"`
	Score    float64    `json:"score"`
	Box      [4]float64 `json:"box"`
	Coasting bool       `json:"coasting,omitempty"`
}

func boxesJSON(tracks []petcam.Track) []byte {
	boxes := make([]boxJSON, 0, len(tracks))
	tenth := func(v float32) float64 { return math.Round(float64(v)*10) / 10 }
	for _, t := range tracks {
		boxes = append(boxes, boxJSON{
			Track: t.ID, Label: t.Label, Zone: t.Zone, Coasting: t.Coasting,
			Score: math.Round(float64(t.Score)*100) / 100,
			Box:   [4]float64{tenth(t.Box.X), tenth(t.Box.Y), tenth(t.Box.W), tenth(t.Box.H)},
		})
	}
	text, err := json.Marshal(boxes)
	if err != nil {
		return []byte("[]") // the adapter lets no number through that JSON cannot say
	}
	return text
}
