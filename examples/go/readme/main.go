package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"signalbox.dev/go/signalbox"
)

type Pose struct {
	Seq uint64
	XYZ [3]float64
}

func main() {
	if len(os.Args) == 2 { // readme publish: type x y z and Enter
		poses := must(signalbox.OpenPublisher[Pose]("robot/pose", signalbox.PublisherOptions{}))
		for p := (Pose{}); ; p.Seq++ {
			must(fmt.Scan(&p.XYZ[0], &p.XYZ[1], &p.XYZ[2]))
			must(poses.Send(&p, nil))
		}
	}
	poses := must(signalbox.OpenSubscriber[Pose]("robot/pose", signalbox.SubscriberOptions{}))
	for pose, err := range poses.All(context.Background()) { // parked until there is one
		p := must(pose, err).Data() // read where it lies
		fmt.Println(p.XYZ[0], p.XYZ[1], p.XYZ[2])
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
