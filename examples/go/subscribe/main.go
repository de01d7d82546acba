// Prints every pose until Ctrl-C, parked in between. Publishers may come, die and return meanwhile.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"signalbox.dev/examples/go/pose"
	"signalbox.dev/go/signalbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	poses, err := signalbox.OpenSubscriber[pose.Pose]("robot/pose",
		signalbox.SubscriberOptions{Start: signalbox.Next})
	if err != nil {
		log.Fatal(err)
	}
	defer poses.Close()
	for sample, err := range poses.All(ctx) {
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		p := sample.Data() // the publisher's own bytes, until the end of this round
		who, _, _ := bytes.Cut(p.Label[:], []byte{0})
		fmt.Printf("%s says: pose %d at x = %g\n", who, p.Seq, p.XYZ[0])
	}
	fmt.Println(poses.LostCount(), "lost")
}
