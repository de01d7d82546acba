package app

import (
	"math"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"signalbox.dev/petcam/server/internal/daemons"
	"signalbox.dev/petcam/server/internal/petcam"
)

// metrics is what /metrics shows: our own counts, and those that camera and detector report.
type metrics struct {
	registry       *prometheus.Registry
	frameAge       *prometheus.HistogramVec
	detections     prometheus.Counter
	detectionsLost prometheus.Counter
}

// ageBuckets reach from a wake-up to a second, where a picture is no longer live.
var ageBuckets = []float64{
	.0002, .0005, .001, .002, .005, .01, .02, .033, .05, .066, .1, .2, .5, 1,
}

func newMetrics(a *App) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		frameAge: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "petcam_frame_age_seconds", Buckets: ageBuckets,
			Help: "Age of a frame, from its capture, when the server had it in hand.",
		}, []string{"stage"}),
		detections: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "petcam_server_detections_total", Help: "Detector messages received.",
		}),
		detectionsLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "petcam_server_detections_lost_total",
			Help: "Detector messages that were overwritten before they were received.",
		}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "petcam_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": a.version, "go": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(m.frameAge, m.detections, m.detectionsLost, info, &live{a},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) sawJpeg(frame *petcam.Jpeg) {
	m.sawAge("jpeg", petcam.MonotonicNs()-int64(frame.CaptureNs))
}

func (m *metrics) sawDetections(now int64, d *petcam.Detections) {
	m.detections.Inc()
	m.sawAge("detections", now-int64(d.CaptureNs))
}

func (m *metrics) sawAge(stage string, age int64) {
	m.frameAge.WithLabelValues(stage).Observe(time.Duration(max(0, age)).Seconds())
}

// live reads the counts where they are kept, when it is asked.
type live struct{ app *App }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("petcam_"+name, help, labels, nil)
}

var (
	daemonUp    = describe("daemon_up", "1 while the daemon is there and reports.", "daemon")
	daemonState = describe("daemon_state", "1 for the state the daemon is in.", "daemon", "state")
	daemonAge   = describe("daemon_report_age_seconds", "Time since the daemon reported.", "daemon")
	frames      = describe("frames_total", "Frames by stage.", "stage")
	dropped     = describe("frames_dropped_total", "Frames lost or passed over, by who missed them.",
		"stage")
	torn    = describe("frames_torn_total", "Frames whose content did not hold together.", "daemon")
	encodes = describe("jpeg_encodes_total", "JPEGs made by the camera.")
	wakes   = describe("wakes_total", "Why waits ended.", "daemon", "reason")
	cpu     = describe("cpu_seconds_total", "CPU of the whole process.", "daemon")
	workCPU = describe("work_cpu_seconds_total", "CPU spent on rendering or detecting.", "daemon")
	latency = describe("detect_latency_seconds",
		"From the camera's publish to the detector having the frame.")

	viewers       = describe("video_viewers", "Who watches video now.")
	replaced      = describe("video_frames_replaced_total", "Frames that a viewer was too slow for.")
	sseClients    = describe("sse_clients", "Event streams open now.")
	sseMessages   = describe("sse_events_total", "Messages published to the streams.", "type")
	sseBytes      = describe("sse_bytes_total", "Bytes written to all streams.")
	sseSuppressed = describe("sse_suppressed_total", "Detector messages that said nothing new.")
	sseEvicted    = describe("sse_evicted_total", "Streams ended because the client was too slow.")
	sseStarts     = describe("sse_starts_total", "Streams that asked to resume, by what they got.",
		"how")
	journalFailures = describe("journal_failures_total", "Failed writes to the event journal.")
)

// Describe sends nothing: what exists depends on the moment, which Prometheus calls unchecked.
func (*live) Describe(chan<- *prometheus.Desc) {}

type emitter struct{ out chan<- prometheus.Metric }

func (e emitter) emit(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels []string) {
	e.out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
}

func (e emitter) count(d *prometheus.Desc, value uint64, labels ...string) {
	e.emit(d, prometheus.CounterValue, float64(value), labels)
}

func (e emitter) seconds(d *prometheus.Desc, ns uint64, labels ...string) {
	e.emit(d, prometheus.CounterValue, time.Duration(ns).Seconds(), labels)
}

func (e emitter) gauge(d *prometheus.Desc, value float64, labels ...string) {
	e.emit(d, prometheus.GaugeValue, value, labels)
}

func (l *live) Collect(out chan<- prometheus.Metric) {
	to := emitter{out}
	a := l.app
	reports := a.board.Reports()
	reports[daemons.Server] = a.own.Report()
	for name, r := range reports {
		collectDaemon(name, r, to)
	}
	if d := reports[daemons.Detector].Stats; d.UpdatedNs != 0 {
		out <- latencyHistogram(d.Latency)
	}

	shown := a.video.Counts()
	to.count(frames, shown.Received, "server_jpeg")
	to.count(dropped, shown.Lost, "server_jpeg")
	to.count(replaced, shown.Replaced)
	to.gauge(viewers, float64(a.video.Viewers()))

	told := a.hub.Counts()
	for kind, messages := range told.Messages {
		to.count(sseMessages, messages, kind)
	}
	to.gauge(sseClients, float64(a.hub.Clients()))
	to.count(sseBytes, told.Bytes)
	to.count(sseSuppressed, told.Suppressed)
	to.count(sseEvicted, told.Evicted)
	to.count(sseStarts, told.Resumed, "resumed")
	to.count(sseStarts, told.Resynced, "resynced")
	to.count(journalFailures, told.JournalFailures)
}

func collectDaemon(name string, r daemons.Report, to emitter) {
	up := 1.0
	if r.State == petcam.Missing {
		up = 0
	}
	to.gauge(daemonUp, up, name)
	to.gauge(daemonState, 1, name, string(r.State))
	s := r.Stats
	if s.UpdatedNs == 0 {
		return // it has never reported
	}
	to.gauge(daemonAge, float64(r.AgeMs)/1000, name)
	to.count(wakes, s.Wakes.Ready, name, "ready")
	to.count(wakes, s.Wakes.TimedOut, name, "timed_out")
	to.count(wakes, s.Wakes.Interrupted, name, "interrupted")
	to.seconds(cpu, s.TotalCPUNs, name)
	if name == daemons.Server {
		return
	}
	to.seconds(workCPU, s.WorkCPUNs, name)
	to.count(frames, s.FramesIn, name+"_in")
	to.count(frames, s.FramesOut, name+"_out")
	to.count(dropped, s.Dropped, name)
	to.count(torn, s.Torn, name)
	if name == daemons.Camera {
		to.count(encodes, s.JpegEncodes)
	}
}

// latencyHistogram turns powers of two of microseconds into cumulative buckets.
func latencyHistogram(l petcam.Latency) prometheus.Metric {
	buckets := map[float64]uint64{}
	var below uint64
	for i, n := range l.Log2Us[:len(l.Log2Us)-1] {
		below += n
		buckets[math.Ldexp(1e-6, i+1)] = below
	}
	sum := time.Duration(l.SumNs).Seconds()
	return prometheus.MustNewConstHistogram(latency, l.Count, sum, buckets)
}
