// Package app is the server itself: it joins the topics, the event stream, the video and the web.
package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"signalbox.dev/petcam/server/internal/config"
	"signalbox.dev/petcam/server/internal/daemons"
	"signalbox.dev/petcam/server/internal/events"
	"signalbox.dev/petcam/server/internal/history"
	"signalbox.dev/petcam/server/internal/petcam"
	"signalbox.dev/petcam/server/internal/pictures"
	"signalbox.dev/petcam/server/internal/video"
)

const (
	openRetryMax = time.Second
	tickEvery    = time.Second
)

// App is one running server, without its listener.
type App struct {
	log      *slog.Logger
	sources  petcam.Sources
	settings atomic.Pointer[config.Settings]
	version  string

	board    *daemons.Board
	own      *daemons.Own
	hub      *events.Hub
	narrator *events.Narrator
	history  *history.Store
	album    *pictures.Album
	video    *video.Hub
	newest   *newest
	metrics  *metrics

	statusMu sync.Mutex
	scene    scene
	status   string // what was last published
}

// New goes on where the process before it, in the same state folder, ended.
func New(settings config.Settings, sources petcam.Sources, stateDir, version string,
	log *slog.Logger) (*App, error) {
	a := &App{log: log, sources: sources, version: version, own: daemons.NewOwn(),
		newest: newNewest()}
	a.settings.Store(&settings)
	journal, recovered, err := events.OpenJournal(stateDir, log)
	if err != nil {
		return nil, err
	}
	if a.hub, err = events.NewHub(journal, recovered, log); err != nil {
		return nil, err
	}
	a.history, err = history.Open(filepath.Join(stateDir, "history"),
		func() history.Retention { return a.Settings().History }, log)
	if err != nil {
		return nil, err
	}
	if err := a.history.CatchUp(recovered.Epoch, recovered.Messages); err != nil {
		return nil, err
	}
	a.rememberStatus()
	a.metrics = newMetrics(a)
	a.album, err = pictures.OpenAlbum(filepath.Join(stateDir, "portraits"), sources.Picture, log)
	if err != nil {
		return nil, err
	}
	a.board = daemons.NewBoard(log, a.publishStatus)
	a.video = video.NewHub(daemons.CountWakes(a.own, sources.Jpeg), a.metrics.sawJpeg, log)
	a.narrator = events.NewNarrator(a.hub, func() events.Options { return a.Settings().Events }, log,
		a.record, a.album.Ask)
	return a, nil
}

// Settings in force now.
func (a *App) Settings() *config.Settings { return a.settings.Load() }

// Reload puts new settings in force, those that can change without a restart.
func (a *App) Reload(settings config.Settings) {
	a.settings.Store(&settings)
	a.publishStatus()
}

// Run follows the topics until the context ends.
func (a *App) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, each := range []func(){
		func() { a.album.Run(ctx) },
		func() { a.followDetections(ctx) },
		func() {
			a.board.Follow(ctx, daemons.Camera, daemons.CountWakes(a.own, a.sources.CameraStats))
		},
		func() {
			a.board.Follow(ctx, daemons.Detector, daemons.CountWakes(a.own, a.sources.DetectorStats))
		},
	} {
		all.Add(1)
		go func() {
			defer all.Done()
			each()
		}()
	}
	all.Wait()
}

// Close tells all clients that the server stops and ends their streams.
func (a *App) Close() {
	a.hub.Close()
	a.video.Close()
	a.history.Close()
}

// AwaitVideo waits until the viewers have taken in that they are closed, or the context ends.
func (a *App) AwaitVideo(ctx context.Context) { a.video.Await(ctx) }

func (a *App) record(id string, change events.Lifecycle) {
	if err := a.history.Append(id, change); err != nil {
		a.log.Error("an event is missing in the history", "event", change.After.ID, "reason", err)
	}
}

func (a *App) followDetections(ctx context.Context) {
	open := daemons.CountWakes(a.own, a.sources.Detections)
	for ctx.Err() == nil {
		source, err := petcam.OpenUntil(ctx, openRetryMax, open, func(err error) {
			a.log.Error("cannot subscribe to the detections; trying again", "reason", err)
		})
		if err != nil {
			return
		}
		a.observe(ctx, source)
		source.Close()
	}
}

func (a *App) observe(ctx context.Context, source petcam.Source[petcam.Detections]) {
	var lost uint64
	for {
		wait, cancel := ctx, context.CancelFunc(func() {})
		if a.narrator.Pending() {
			wait, cancel = context.WithTimeout(ctx, tickEvery)
		}
		detections, err := source.Receive(wait)
		cancel()
		now := petcam.MonotonicNs()
		switch {
		case err == nil:
			a.take(now, &detections)
			a.metrics.detectionsLost.Add(float64(source.Lost() - lost))
			lost = source.Lost()
		case ctx.Err() != nil:
			return
		case errors.Is(err, petcam.ErrDeadline):
			a.narrator.Tick(now)
		default:
			a.log.Error("lost the detections; subscribing again", "reason", err)
			return
		}
	}
}

func (a *App) take(now int64, d *petcam.Detections) {
	a.metrics.sawDetections(now, d)
	a.newest.set(d)
	a.noteScene(d)
	if a.video.WantsBoxes() {
		a.video.ShowBoxes(d.Number, boxesJSON(d.Tracks))
	}
	a.narrator.Observe(now, d)
}
