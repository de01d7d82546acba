package events

import (
	"math"
	"time"

	"signalbox.dev/petcam/server/internal/petcam"
)

const (
	portraitGain  = 1.2         // how much better than the last a portrait must be
	portraitEvery = time.Second // at most, for each event
)

// offerPortraits asks for a picture of everybody who looks better than before.
func (n *Narrator) offerPortraits(nowNs int64, d *petcam.Detections) {
	for _, track := range d.Tracks {
		if track.Coasting {
			continue // nobody is where the box is
		}
		for _, v := range n.visits {
			if v.event.Track == track.ID && v.seenNs == nowNs {
				n.offerPortrait(nowNs, v, track.Score)
			}
		}
	}
}

func (n *Narrator) offerPortrait(nowNs int64, v *visit, score float32) {
	// A larger subject shows more, but twice the area is not twice as good.
	quality := float64(score) * math.Sqrt(float64(v.box.W)*float64(v.box.H))
	soon := v.bestNs != 0 && nowNs-v.bestNs < portraitEvery.Nanoseconds()
	if soon || quality < v.best*portraitGain {
		return
	}
	v.best, v.bestNs = quality, nowNs
	n.portrait(Portrait{Event: v.event.ID, Frame: n.frame, Box: v.box})
}
