package signalbox_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"signalbox.dev/go/signalbox"
)

func Example() {
	publisher, err := signalbox.OpenPublisher[Pose]("example/pose", signalbox.PublisherOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer publisher.Close()
	subscriber, err := signalbox.OpenSubscriber[Pose]("example/pose", signalbox.SubscriberOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer subscriber.Close()

	if _, err := publisher.Send(&Pose{Seq: 1, XYZ: [3]float64{0.5, 0, 2}}, nil); err != nil {
		log.Fatal(err)
	}
	sample, err := subscriber.Receive(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer sample.Release()
	fmt.Println(sample.Data().Seq, sample.Data().XYZ)
	// Output: 1 [0.5 0 2]
}

// A large message is made where its readers read it, and only if there are any.
func ExamplePublisher_Loan() {
	frames, err := signalbox.OpenPublisher[Frame]("example/frames",
		signalbox.PublisherOptions{TailBytesMax: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer frames.Close()
	viewer, err := signalbox.OpenSubscriber[Frame]("example/frames",
		signalbox.SubscriberOptions{Tail: true})
	if err != nil {
		log.Fatal(err)
	}
	defer viewer.Close()

	if frames.SubscriberCount() > 0 {
		loan, err := frames.Loan(1 << 20)
		if err != nil {
			log.Fatal(err)
		}
		defer loan.Drop() // does nothing once the loan is published
		*loan.Data() = Frame{Number: 7, Width: 1024, Height: 1024}
		n := copy(loan.Tail(), "the picture")
		if err := loan.Shorten(n); err != nil {
			log.Fatal(err)
		}
		if _, err := frames.Publish(loan); err != nil {
			log.Fatal(err)
		}
	}

	sample, err := viewer.Take()
	if err != nil || sample == nil {
		log.Fatal("no picture: ", err)
	}
	defer sample.Release()
	fmt.Printf("frame %d: %s\n", sample.Data().Number, sample.Tail())
	// Output: frame 7: the picture
}

func ExampleSubscriber_Receive() {
	subscriber, err := signalbox.OpenSubscriber[Pose]("example/quiet", signalbox.SubscriberOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer subscriber.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = subscriber.Receive(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, signalbox.ErrTimedOut))
	// Output: true true
}

func ExampleSubscriber_All() {
	publisher, err := signalbox.OpenPublisher[Pose]("example/all", signalbox.PublisherOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer publisher.Close()
	for seq := range uint64(3) {
		if _, err := publisher.Send(&Pose{Seq: seq}, nil); err != nil {
			log.Fatal(err)
		}
	}
	subscriber, err := signalbox.OpenSubscriber[Pose]("example/all",
		signalbox.SubscriberOptions{Start: signalbox.Oldest})
	if err != nil {
		log.Fatal(err)
	}
	defer subscriber.Close()
	for sample, err := range subscriber.All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(sample.Data().Seq)
		if sample.Data().Seq == 2 {
			break
		}
	}
	// Output:
	// 0
	// 1
	// 2
}

func ExampleDescribe() {
	type Label struct {
		Text  [16]byte `sbx:",char"`
		Score float32
	}
	type Found struct {
		FrameNumber uint64
		Count       uint32
		Items       [4]Label
	}
	text, err := signalbox.Describe[Found](false)
	fmt.Println(text, err)

	_, err = signalbox.Describe[struct{ Next *Found }](false)
	fmt.Println(errors.Is(err, signalbox.ErrBadArgument))
	// Output:
	// {frame_number:u64@0,count:u32@8,items:{text:char[16]@0,score:f32@16}#20[4]@12}#96 <nil>
	// true
}

// A difference between two programs is found before any message is misread.
func ExampleError() {
	publisher, err := signalbox.OpenPublisher[Pose]("example/mismatch", signalbox.PublisherOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer publisher.Close()
	type OldPose struct {
		Seq uint32
		XYZ [3]float64
	}
	_, err = signalbox.OpenSubscriber[OldPose]("example/mismatch", signalbox.SubscriberOptions{})
	fmt.Println(errors.Is(err, signalbox.ErrTypeMismatch))
	// Output: true
}
