package daemons

import (
	"time"

	"signalbox.dev/petcam/server/internal/petcam"
)

// usageWindow is the least time over which a rate is worth showing: reports also come at every
// change of state, a few milliseconds after the last.
const usageWindow = 900 * time.Millisecond

// usage turns counters into rates over about the last second.
type usage struct {
	base petcam.Stats
	rate rates
}

type rates struct{ fps, cpu, work, wakes, encodes, latencyMs float64 }

func (u *usage) take(now petcam.Stats) {
	restarted := now.Pid != u.base.Pid || now.StartedNs != u.base.StartedNs
	if u.base.UpdatedNs == 0 || restarted {
		*u = usage{base: now}
		return
	}
	elapsed := time.Duration(now.UpdatedNs - u.base.UpdatedNs)
	if elapsed < usageWindow {
		return
	}
	per := 1 / elapsed.Seconds()
	u.rate = rates{
		fps:     float64(now.FramesOut-u.base.FramesOut) * per,
		cpu:     float64(now.TotalCPUNs-u.base.TotalCPUNs) / float64(elapsed) * 100,
		work:    float64(now.WorkCPUNs-u.base.WorkCPUNs) / float64(elapsed) * 100,
		wakes:   float64(now.Wakes.Total()-u.base.Wakes.Total()) * per,
		encodes: float64(now.JpegEncodes-u.base.JpegEncodes) * per,
	}
	if frames := now.Latency.Count - u.base.Latency.Count; frames > 0 {
		sum := float64(now.Latency.SumNs - u.base.Latency.SumNs)
		u.rate.latencyMs = sum / float64(frames) / float64(time.Millisecond)
	}
	u.base = now
}

func (u *usage) fill(r *Report) {
	r.FPS, r.CPU, r.WorkCPU = round(u.rate.fps), round(u.rate.cpu), round(u.rate.work)
	r.Wakes, r.Encodes = round(u.rate.wakes), round(u.rate.encodes)
	r.LatencyMs = float64(int(u.rate.latencyMs*1000+0.5)) / 1000
}

func round(v float64) float64 { return float64(int(v*100+0.5)) / 100 }
