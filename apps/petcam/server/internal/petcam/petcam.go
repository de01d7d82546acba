// Package petcam holds what the server knows about the pet camera, in Go's own types.
//
// The topics' wire structs stand in package main (messages.go); the adapters there turn them into
// these, so that everything inside internal/ builds and is tested without cgo. All times named Ns
// are nanoseconds of CLOCK_MONOTONIC unless the name says wall; boxes are pixels of the full frame.
package petcam

import (
	"context"
	"errors"
)

// ErrDeadline ends a Receive whose context ran out before a message came. It is a normal result.
var ErrDeadline = errors.New("nothing was published before the deadline")

// Source is one subscription. One goroutine uses it at a time.
type Source[T any] interface {
	// Receive answers the next message, or ErrDeadline, or why there can be no more.
	Receive(ctx context.Context) (T, error)
	// Publishers counts the publishers alive now.
	Publishers() int
	// Lost counts messages that were overwritten or passed over before they were received.
	Lost() uint64
	Close()
}

// Box is a rectangle in pixels of the full frame.
type Box struct{ X, Y, W, H float32 }

// Intersection over union: 1 for the same box, 0 for boxes that do not touch.
func (b Box) Overlap(o Box) float32 {
	w := min(b.X+b.W, o.X+o.W) - max(b.X, o.X)
	h := min(b.Y+b.H, o.Y+o.H) - max(b.Y, o.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (b.W*b.H + o.W*o.H - w*h)
}

// Center is the middle of the box.
func (b Box) Center() (x, y float32) { return b.X + b.W/2, b.Y + b.H/2 }

// Track is one subject the detector follows, as seen in one frame.
type Track struct {
	ID       uint32
	Label    string
	Zone     string // empty: in no named zone
	Score    float32
	Box      Box
	Coasting bool // not seen in this frame, carried on by the tracker
}

// Detections is what the detector found in one frame.
type Detections struct {
	Number           uint64 // of the frame
	CaptureNs        uint64
	WallNs           uint64 // the same moment on the wall clock
	FramePublishedNs uint64
	TakenNs          uint64
	PublishedNs      uint64
	Width, Height    uint32
	DemoScene        bool   // the labels are only good for the built-in scene
	Detector         string // "motion", "yolo-onnx"
	Incarnation      uint64 // changes when the detector restarts; its track ids begin anew then
	Tracks           []Track
}

// State is how a daemon says it is; Missing is our own finding.
type State string

const (
	Starting State = "starting"
	Running  State = "running"
	Degraded State = "degraded"
	Stopping State = "stopping"
	Missing  State = "missing"
)

// Stats is a daemon's own account of itself; counters start at 0 with the process.
type Stats struct {
	Daemon      string
	Pid         uint32
	State       State
	Note        string // what is wrong and what to do; empty when all is well
	StartedNs   uint64
	UpdatedNs   uint64
	FramesIn    uint64
	FramesOut   uint64
	Dropped     uint64
	JpegEncodes uint64
	Wakes       Wakes
	Torn        uint64
	WorkCPUNs   uint64
	TotalCPUNs  uint64
	Latency     Latency
}

// Wakes counts why a daemon's waits ended.
type Wakes struct{ Ready, TimedOut, Interrupted uint64 }

// Total counts all of them.
func (w Wakes) Total() uint64 { return w.Ready + w.TimedOut + w.Interrupted }

// Latency is a histogram: Log2Us[i] counts latencies in [2^i, 2^(i+1)) microseconds.
type Latency struct {
	Count, SumNs, MaxNs uint64
	Log2Us              [24]uint64
}

// HeaderBytes stand before the JPEG in Jpeg.Message and in each binary message of /ws:
// little-endian u64 frame number, u64 capture_ns, u64 published_ns, u32 width, u32 height.
const HeaderBytes = 32

// Jpeg is one encoded frame, copied out of shared memory once for all viewers. It is never
// written again.
type Jpeg struct {
	Number, CaptureNs, WallNs, PublishedNs uint64
	Width, Height                          uint32
	Message                                []byte // HeaderBytes of header, then the JPEG file
}

// Data is the JPEG file.
func (j *Jpeg) Data() []byte { return j.Message[HeaderBytes:] }

// Picture is one raw frame in place, in shared memory, until Release.
type Picture struct {
	Number, CaptureNs     uint64
	Width, Height, Stride int
	I420                  []byte // Height rows of Y, then half as many half-wide rows of U, of V
	Release               func()
}

// Sources opens the subscriptions. Opening may fail at any time; whoever opens tries again.
type Sources struct {
	Detections    func() (Source[Detections], error)
	CameraStats   func() (Source[Stats], error)
	DetectorStats func() (Source[Stats], error)
	// Jpeg's subscription is the demand signal on which the camera encodes.
	Jpeg func() (Source[*Jpeg], error)
	// Picture pins the frame with this number, or the newest there is when it is gone.
	Picture func(number uint64) (*Picture, error)
}
