package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"signalbox.dev/go/signalbox"

	"signalbox.dev/petcam/server/internal/petcam"
)

// sources are the topics of a domain, in the types of the rest of the server.
func sources(domain string) petcam.Sources {
	return petcam.Sources{
		Detections: func() (petcam.Source[petcam.Detections], error) {
			// From the next one on: what was found before we came is over.
			return open(detectionsTopic, signalbox.SubscriberOptions{
				Domain: domain, Start: signalbox.Next}, readDetections)
		},
		CameraStats: func() (petcam.Source[petcam.Stats], error) {
			return open(cameraStatsTopic, signalbox.SubscriberOptions{Domain: domain}, readStats)
		},
		DetectorStats: func() (petcam.Source[petcam.Stats], error) {
			return open(detectorStatsTopic, signalbox.SubscriberOptions{Domain: domain}, readStats)
		},
		Jpeg: func() (petcam.Source[*petcam.Jpeg], error) {
			source, err := open(jpegTopic, signalbox.SubscriberOptions{
				Domain: domain, Start: signalbox.Next, Tail: true}, readJpeg)
			if err != nil {
				return nil, err
			}
			source.newestOnly = true
			return source, nil
		},
		Picture: func(number uint64) (*petcam.Picture, error) { return picture(domain, number) },
	}
}

// topic is one subscription whose messages are copied into a type of the server.
type topic[Wire, Message any] struct {
	subscriber *signalbox.Subscriber[Wire]
	read       func(*signalbox.Sample[Wire]) Message
	newestOnly bool
}

func open[Wire, Message any](name string, o signalbox.SubscriberOptions,
	read func(*signalbox.Sample[Wire]) Message) (*topic[Wire, Message], error) {
	subscriber, err := signalbox.OpenSubscriber[Wire](name, o)
	if err != nil {
		return nil, err
	}
	return &topic[Wire, Message]{subscriber: subscriber, read: read}, nil
}

func (t *topic[Wire, Message]) Receive(ctx context.Context) (Message, error) {
	var none Message
	sample, err := t.subscriber.Receive(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return none, petcam.ErrDeadline
	}
	if err != nil {
		return none, err
	}
	defer func() { sample.Release() }()
	if t.newestOnly {
		newer, err := t.subscriber.TakeLatest()
		if err != nil {
			return none, err
		}
		if newer != nil {
			sample.Release()
			sample = newer
		}
	}
	return t.read(sample), nil
}

func (t *topic[Wire, Message]) Publishers() int { return t.subscriber.PublisherCount() }

func (t *topic[Wire, Message]) Lost() uint64 {
	return t.subscriber.LostCount() + t.subscriber.SkippedCount()
}

func (t *topic[Wire, Message]) Close() { t.subscriber.Close() }

// text reads characters up to the first zero. Whoever wrote them may have cut a letter in two, and
// what is no UTF-8 must not reach JSON.
func text(chars []byte) string {
	if end := bytes.IndexByte(chars, 0); end >= 0 {
		chars = chars[:end]
	}
	return strings.ToValidUTF8(string(chars), "")
}

// finite keeps what is no number, or no place in any picture, out of arithmetic and JSON.
func finite(v float32) float32 {
	if v != v || math.Abs(float64(v)) > 1e6 {
		return 0
	}
	return v
}

func readDetections(sample *signalbox.Sample[detectionsMessage]) petcam.Detections {
	m := sample.Data()
	d := petcam.Detections{
		Number: m.Number, CaptureNs: m.CaptureNs, WallNs: m.WallNs,
		FramePublishedNs: m.FramePublishedNs, TakenNs: m.TakenNs, PublishedNs: m.PublishedNs,
		Width: m.Width, Height: m.Height, DemoScene: m.DemoScene != 0,
		Detector: text(m.Detector[:]), Incarnation: sample.Publisher(),
	}
	for i := range m.Items[:min(m.Count, uint32(len(m.Items)))] {
		item := &m.Items[i]
		d.Tracks = append(d.Tracks, petcam.Track{
			ID: item.TrackID, Label: text(item.Label[:]), Zone: text(item.Zone[:]),
			Score: finite(item.Score), Coasting: item.State == 2,
			Box: petcam.Box{
				X: finite(item.X), Y: finite(item.Y), W: finite(item.W), H: finite(item.H),
			},
		})
	}
	return d
}

func readStats(sample *signalbox.Sample[statsMessage]) petcam.Stats {
	m := sample.Data()
	states := [...]petcam.State{petcam.Starting, petcam.Running, petcam.Degraded, petcam.Stopping}
	state := petcam.Degraded // a state from a newer version
	if m.State < uint32(len(states)) {
		state = states[m.State]
	}
	return petcam.Stats{
		Daemon: text(m.Daemon[:]), Pid: m.Pid, State: state, Note: text(m.Note[:]),
		StartedNs: m.StartedNs, UpdatedNs: m.UpdatedNs,
		FramesIn: m.FramesIn, FramesOut: m.FramesOut, Dropped: m.FramesDropped,
		JpegEncodes: m.JpegEncodes, Torn: m.Torn,
		Wakes: petcam.Wakes{
			Ready: m.WakesReady, TimedOut: m.WakesTimedOut, Interrupted: m.WakesInterrupted,
		},
		WorkCPUNs: m.WorkCPUNs, TotalCPUNs: m.TotalCPUNs,
		Latency: petcam.Latency{
			Count: m.LatencyCount, SumNs: m.LatencySumNs, MaxNs: m.LatencyMaxNs,
			Log2Us: m.LatencyUsLog2,
		},
	}
}

// readJpeg copies the frame out of shared memory, once for all viewers, with the header of /ws.
func readJpeg(sample *signalbox.Sample[jpegMessage]) *petcam.Jpeg {
	m, tail := sample.Data(), sample.Tail()
	message := make([]byte, petcam.HeaderBytes+len(tail))
	binary.LittleEndian.PutUint64(message[0:], m.Number)
	binary.LittleEndian.PutUint64(message[8:], m.CaptureNs)
	binary.LittleEndian.PutUint64(message[16:], m.PublishedNs)
	binary.LittleEndian.PutUint32(message[24:], m.Width)
	binary.LittleEndian.PutUint32(message[28:], m.Height)
	copy(message[petcam.HeaderBytes:], tail)
	return &petcam.Jpeg{
		Number: m.Number, CaptureNs: m.CaptureNs, WallNs: m.WallNs, PublishedNs: m.PublishedNs,
		Width: m.Width, Height: m.Height, Message: message,
	}
}

var errNoPicture = errors.New("the camera has published no frame")

// picture pins the frame with this number, or the newest that is still kept. It joins the topic
// for this one look: the server has no use for 30 raw frames a second.
func picture(domain string, number uint64) (*petcam.Picture, error) {
	subscriber, err := signalbox.OpenSubscriber[frameMessage](framesTopic,
		signalbox.SubscriberOptions{Domain: domain, Start: signalbox.Oldest, Tail: true})
	if err != nil {
		return nil, err
	}
	// Samples stay valid after the subscriber has left.
	defer subscriber.Close()
	var held *signalbox.Sample[frameMessage]
	for {
		next, err := subscriber.Take()
		if err != nil {
			if held != nil {
				held.Release()
			}
			return nil, err
		}
		if next == nil {
			break
		}
		if held != nil {
			held.Release()
		}
		held = next
		if held.Data().Number >= number {
			break
		}
	}
	if held == nil {
		return nil, errNoPicture
	}
	m := held.Data()
	return &petcam.Picture{
		Number: m.Number, CaptureNs: m.CaptureNs, Width: int(m.Width), Height: int(m.Height),
		Stride: int(m.Stride), I420: held.Tail(), Release: held.Release,
	}, nil
}
