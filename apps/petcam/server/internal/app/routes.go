package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signalbox.dev/petcam/server/internal/events"
	"signalbox.dev/petcam/server/internal/history"
	"signalbox.dev/petcam/server/internal/pictures"
	"signalbox.dev/petcam/server/internal/video"
)

const (
	annotatedWaits = time.Second
	portraitWaits  = 500 * time.Millisecond
)

// Handler serves everything; the page is what is at /.
func (a *App) Handler(page http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", page)
	mux.Handle("/ws", &video.WebSocket{Hub: a.video, Stats: func() any { return a.report() }})
	mux.HandleFunc("/stream.mjpeg", a.video.ServeMJPEG)
	mux.HandleFunc("/snapshot.jpg", a.serveSnapshot)
	mux.Handle("/events", events.NewStream(a.hub))
	mux.HandleFunc("/api/v1/events", a.serveHistory)
	mux.HandleFunc("/api/v1/events/{id}/portrait.jpg", a.servePortrait)
	mux.HandleFunc("/api/v1/status", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, a.report())
	})
	mux.HandleFunc("/api/", http.NotFound)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/readyz", a.serveReady)
	mux.Handle("/metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}))
	return mux
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n'))
}

func (a *App) serveReady(w http.ResponseWriter, _ *http.Request) {
	ready := a.readiness()
	code := http.StatusOK
	if !ready.Ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, ready)
}

func (a *App) serveHistory(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query()
	q := history.Query{Label: asked.Get("label"), Zone: asked.Get("zone"), Limit: 100}
	if text := asked.Get("since"); text != "" {
		since, err := parseMoment(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		q.Since = since
	}
	if text := asked.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > history.LimitMax {
			http.Error(w, fmt.Sprintf("limit is %q, not a number from 1 to %d", text,
				history.LimitMax), http.StatusBadRequest)
			return
		}
		q.Limit = limit
	}
	found := a.history.Find(q)
	if found == nil {
		found = []events.Event{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"events": found})
}

// parseMoment reads milliseconds since 1970, as in the events, or a date and time.
func parseMoment(text string) (int64, error) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return ms, nil
	}
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, fmt.Errorf("since is %q, neither milliseconds since 1970 nor a time such as "+
			"2026-11-22T12:00:00Z", text)
	}
	return moment.UnixMilli(), nil
}

func (a *App) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("boxes") != "1" {
		a.video.ServeSnapshot(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), annotatedWaits)
	defer cancel()
	detections := a.newest.next(ctx)
	if detections == nil {
		http.Error(w, "no frame was examined within 1 s: camera or detector is missing; "+
			"/readyz says which", http.StatusServiceUnavailable)
		return
	}
	picture, err := a.sources.Picture(detections.Number)
	if err != nil {
		http.Error(w, "no picture: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer picture.Release()
	data, err := pictures.Annotated(picture, detections.Tracks)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	video.WriteJpeg(w, picture.Number, data)
}

// servePortrait waits a moment for the portrait of an event that goes on: the page asks for it as
// soon as it hears of the event, while it is being made.
func (a *App) servePortrait(w http.ResponseWriter, r *http.Request) {
	event := r.PathValue("id")
	data := a.album.Find(event)
	if data == nil && a.goesOn(event) {
		ctx, cancel := context.WithTimeout(r.Context(), portraitWaits)
		defer cancel()
		data = a.album.Await(ctx, event)
	}
	if data == nil {
		http.Error(w, "no portrait is kept of this event", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(data)
}

func (a *App) goesOn(event string) bool {
	return slices.ContainsFunc(a.hub.State().Open, func(e events.Event) bool { return e.ID == event })
}
