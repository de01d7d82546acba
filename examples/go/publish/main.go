// Publishes a pose ten times a second until Ctrl-C, filled in place. Start subscribe, or its
// sibling in another language, before or after; kill either and start it again.
package main

import (
	"log"
	"time"

	"signalbox.dev/examples/go/pose"
	"signalbox.dev/go/signalbox"
)

func main() {
	poses, err := signalbox.OpenPublisher[pose.Pose]("robot/pose", signalbox.PublisherOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer poses.Close()
	seq := uint64(0)
	for range time.Tick(100 * time.Millisecond) {
		loan, err := poses.Loan(0)
		if err != nil {
			log.Print(err)
			continue
		}
		*loan.Data() = pose.Pose{Seq: seq, XYZ: [3]float64{0.25 * float64(seq), 0, 0}}
		copy(loan.Data().Label[:], "go")
		if _, err := poses.Publish(loan); err != nil {
			log.Print(err)
			loan.Drop()
		}
		seq++
	}
}
