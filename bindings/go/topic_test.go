package signalbox_test

// What publishers and subscribers promise each other, method by method.

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

func TestAMessageArrivesWithItsTail(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{TailBytesMax: 4096})
	subscriber := openSubscriber[Frame](t, topicOf(t), signalbox.SubscriberOptions{Tail: true})
	loan := must[*signalbox.Loan[Frame]](t)(publisher.Loan(1000))
	*loan.Data() = Frame{Number: 7, Width: 40, Height: 25}
	copy(loan.Data().Label[:], "a cat")
	for i := range loan.Tail() {
		loan.Tail()[i] = byte(i)
	}
	if len(loan.Tail()) != 1000 {
		t.Fatalf("the tail has %d bytes", len(loan.Tail()))
	}
	if err := loan.Shorten(900); err != nil {
		t.Fatal(err)
	}
	expectError(t, loan.Shorten(901), signalbox.ErrBadArgument)
	expectError(t, loan.Shorten(-1), signalbox.ErrBadArgument)
	if position := must[uint64](t)(publisher.Publish(loan)); position != 0 {
		t.Fatalf("the first message is at %d", position)
	}

	sample := must[*signalbox.Sample[Frame]](t)(subscriber.Take())
	defer sample.Release()
	frame := sample.Data()
	if frame.Number != 7 || frame.Width != 40 || string(frame.Label[:5]) != "a cat" {
		t.Fatalf("received %+v", frame)
	}
	if len(sample.Tail()) != 900 || sample.Tail()[899] != 899&0xff {
		t.Fatalf("received a tail of %d bytes", len(sample.Tail()))
	}
	if sample.Position() != 0 || sample.Publisher() == 0 {
		t.Fatalf("position %d, publisher %d", sample.Position(), sample.Publisher())
	}
}

func TestTakeAnswersNothingWhenNothingIsNew(t *testing.T) {
	subscriber := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{})
	for _, take := range []func() (*signalbox.Sample[Pose], error){
		subscriber.Take, subscriber.TakeLatest} {
		if sample, err := take(); sample != nil || err != nil {
			t.Fatalf("got %v, %v", sample, err)
		}
	}
}

func TestPlainBytesNeedNoFixedPart(t *testing.T) {
	publisher := openPublisher[signalbox.Bytes](t, topicOf(t),
		signalbox.PublisherOptions{TailBytesMax: 100})
	subscriber := openSubscriber[struct{}](t, topicOf(t), signalbox.SubscriberOptions{})
	for _, text := range []string{"short", "", strings.Repeat("too long for a slot ", 3)} {
		if _, err := publisher.Send(nil, []byte(text)); err != nil {
			t.Fatal(err)
		}
		sample := must[*signalbox.Sample[struct{}]](t)(subscriber.Receive(within(t)))
		if string(sample.Tail()) != text || sample.Data() == nil {
			t.Fatalf("received %q", sample.Tail())
		}
		sample.Release()
	}
	loan := must[*signalbox.Loan[signalbox.Bytes]](t)(publisher.Loan(3))
	defer loan.Drop()
	if loan.Data() == nil || len(loan.Tail()) != 3 {
		t.Fatal("a loan of bytes has a tail and an empty fixed part")
	}
}

func TestSendTakesAMessageInsideAnObjectWithPointers(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	robot := &struct {
		name *string
		pose Pose
	}{name: new(string), pose: Pose{Seq: 3}}
	if _, err := publisher.Send(&robot.pose, nil); err != nil {
		t.Fatal(err)
	}
	_, err := publisher.Send(nil, nil)
	expectError(t, err, signalbox.ErrBadArgument, "nil")
}

func TestWhereALateSubscriberBegins(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{Depth: 8})
	for seq := range uint64(20) {
		sendPose(t, publisher, seq)
	}
	for start, first := range map[signalbox.Start]uint64{
		signalbox.Oldest: 12, signalbox.Latest: 19, signalbox.Next: 20,
		signalbox.Back(3): 17, signalbox.Back(0): 20, signalbox.Back(1): 19,
	} {
		t.Run(start.String(), func(t *testing.T) {
			topic := "go/TestWhereALateSubscriberBegins"
			subscriber := openSubscriber[Pose](t, topic, signalbox.SubscriberOptions{Start: start})
			next := uint64(20)
			if sample := must[*signalbox.Sample[Pose]](t)(subscriber.Take()); sample != nil {
				next = sample.Data().Seq
				sample.Release()
			}
			if next != first {
				t.Fatalf("%v began with %d, expected %d", start, next, first)
			}
		})
	}
}

func TestASlowSubscriberLosesAndCounts(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{Depth: 4})
	subscriber := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{})
	sendPose(t, publisher, 0)
	must[*signalbox.Sample[Pose]](t)(subscriber.Take()).Release()
	for seq := uint64(1); seq <= 10; seq++ {
		sendPose(t, publisher, seq)
	}
	sample := must[*signalbox.Sample[Pose]](t)(subscriber.Take())
	defer sample.Release()
	// What was lost is exactly what lies between the two.
	if lost := subscriber.LostCount(); lost == 0 || sample.Data().Seq != lost+1 {
		t.Fatalf("lost %d, then came %d", lost, sample.Data().Seq)
	}
	latest := must[*signalbox.Sample[Pose]](t)(subscriber.TakeLatest())
	defer latest.Release()
	if latest.Data().Seq != 10 || subscriber.SkippedCount() != 10-sample.Data().Seq-1 {
		t.Fatalf("latest is %d, skipped %d", latest.Data().Seq, subscriber.SkippedCount())
	}
	lost, skipped := subscriber.LostCount(), subscriber.SkippedCount()
	subscriber.Close()
	if subscriber.LostCount() != lost || subscriber.SkippedCount() != skipped {
		t.Fatal("the counts are kept after Close")
	}
}

func TestAReliableSubscriberHoldsThePublisherBack(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{Depth: 2})
	subscriber := openSubscriber[Pose](t, topicOf(t),
		signalbox.SubscriberOptions{Reliable: true, Start: signalbox.Next})
	sendPose(t, publisher, 0)
	sendPose(t, publisher, 1)
	_, err := publisher.Send(&Pose{Seq: 2}, nil)
	expectError(t, err, signalbox.ErrWouldBlock)

	loan := must[*signalbox.Loan[Pose]](t)(publisher.Loan(0))
	loan.Data().Seq = 2
	_, err = publisher.Publish(loan)
	expectError(t, err, signalbox.ErrWouldBlock)
	deadline, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	_, err = publisher.PublishContext(deadline, loan)
	expectError(t, err, signalbox.ErrTimedOut, topicOf(t))
	expectError(t, err, context.DeadlineExceeded)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = publisher.PublishContext(cancelled, loan)
	expectError(t, err, signalbox.ErrInterrupted)
	expectError(t, err, context.Canceled)

	// After all these refusals the loan is still ours, and goes out when there is room.
	published := make(chan error, 1)
	go func() {
		_, err := publisher.PublishContext(within(t), loan)
		published <- err
	}()
	for seq := range uint64(3) {
		sample := must[*signalbox.Sample[Pose]](t)(subscriber.Receive(within(t)))
		if sample.Data().Seq != seq {
			t.Fatalf("received %d instead of %d", sample.Data().Seq, seq)
		}
		sample.Release()
	}
	if err := <-published; err != nil || subscriber.LostCount() != 0 {
		t.Fatalf("%v, lost %d", err, subscriber.LostCount())
	}
}

func TestCloseEndsAWaitingPublish(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{Depth: 1})
	openSubscriber[Pose](t, topicOf(t),
		signalbox.SubscriberOptions{Reliable: true, Start: signalbox.Next})
	sendPose(t, publisher, 0)
	loan := must[*signalbox.Loan[Pose]](t)(publisher.Loan(0))
	started, ended := make(chan struct{}), make(chan error)
	go func() {
		close(started)
		_, err := publisher.PublishContext(context.Background(), loan)
		ended <- err
	}()
	<-started
	publisher.Close()
	expectError(t, <-ended, signalbox.ErrClosed)
}

func TestALoanIsUsedOnce(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	other := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	loan := must[*signalbox.Loan[Pose]](t)(publisher.Loan(0))
	_, err := publisher.Loan(0)
	expectError(t, err, signalbox.ErrLimitReached)
	_, err = other.Publish(loan)
	expectError(t, err, signalbox.ErrBadArgument, "another publisher")
	must[uint64](t)(publisher.Publish(loan))
	_, err = publisher.Publish(loan)
	expectError(t, err, signalbox.ErrBadArgument, "published or dropped")
	_, err = publisher.PublishContext(context.Background(), nil)
	expectError(t, err, signalbox.ErrBadArgument)
	expectError(t, loan.Shorten(0), signalbox.ErrBadArgument)
	loan.Drop() // does nothing
	if loan.Data() != nil || loan.Tail() != nil {
		t.Fatal("an ended loan shows no memory")
	}

	dropped := must[*signalbox.Loan[Pose]](t)(publisher.Loan(0))
	dropped.Drop()
	dropped.Drop()
	must[*signalbox.Loan[Pose]](t)(publisher.Loan(0)).Drop()
	_, err = publisher.Loan(1)
	expectError(t, err, signalbox.ErrTooLarge)
	_, err = publisher.Loan(-1)
	expectError(t, err, signalbox.ErrBadArgument)
}

func TestCountsOfTheOtherSide(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	if publisher.SubscriberCount() != 0 {
		t.Fatal("nobody is there yet")
	}
	subscriber := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{})
	if publisher.SubscriberCount() != 1 || subscriber.PublisherCount() != 1 {
		t.Fatalf("%d subscribers, %d publishers", publisher.SubscriberCount(),
			subscriber.PublisherCount())
	}
	publisher.Close()
	if publisher.SubscriberCount() != 0 || subscriber.PublisherCount() != 0 {
		t.Fatalf("%d subscribers, %d publishers", publisher.SubscriberCount(),
			subscriber.PublisherCount())
	}
}

func TestAClosedHandleSaysSo(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{LoansMax: 2})
	subscriber := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{})
	loan := must[*signalbox.Loan[Pose]](t)(publisher.Loan(0))
	sendPose(t, publisher, 5)
	sample := must[*signalbox.Sample[Pose]](t)(subscriber.Take())
	for range 2 {
		if publisher.Close() != nil || subscriber.Close() != nil {
			t.Fatal("Close has no error")
		}
	}
	if sample.Data().Seq != 5 {
		t.Fatal("a sample outlives its subscriber")
	}
	for range 2 {
		sample.Release()
	}
	if sample.Data() != nil || sample.Tail() != nil {
		t.Fatal("a released sample shows no memory")
	}
	if loan.Data() != nil || loan.Tail() != nil {
		t.Fatal("a loan ends with its publisher")
	}
	expectError(t, loan.Shorten(0), signalbox.ErrClosed)
	_, err := publisher.Publish(loan)
	expectError(t, err, signalbox.ErrClosed, topicOf(t))
	loan.Drop()
	_, err = publisher.Loan(0)
	expectError(t, err, signalbox.ErrClosed)
	_, err = publisher.Send(&Pose{}, nil)
	expectError(t, err, signalbox.ErrClosed)
	_, err = subscriber.Take()
	expectError(t, err, signalbox.ErrClosed)
	_, err = subscriber.Receive(context.Background())
	expectError(t, err, signalbox.ErrClosed)
	if subscriber.PublisherCount() != 0 {
		t.Fatal("a closed subscriber sees nobody")
	}
}

func TestASubscriberMayHoldSixtyFourLargeSamples(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{HeldMax: 80})
	subscriber := openSubscriber[Frame](t, topicOf(t), signalbox.SubscriberOptions{})
	var held []*signalbox.Sample[Frame]
	for number := range uint64(64) {
		must[uint64](t)(publisher.Send(&Frame{Number: number}, nil))
		held = append(held, must[*signalbox.Sample[Frame]](t)(subscriber.Take()))
	}
	must[uint64](t)(publisher.Send(&Frame{Number: 64}, nil))
	_, err := subscriber.Take()
	expectError(t, err, signalbox.ErrLimitReached)
	_, err = subscriber.Receive(within(t))
	expectError(t, err, signalbox.ErrLimitReached)
	for number, sample := range held {
		if sample.Data().Number != uint64(number) {
			t.Fatalf("sample %d became %d while it was held", number, sample.Data().Number)
		}
		sample.Release()
	}
	sample := must[*signalbox.Sample[Frame]](t)(subscriber.Take())
	if sample.Data().Number != 64 {
		t.Fatalf("then came %d", sample.Data().Number)
	}
	sample.Release()
}

func TestBadOpensAreRefused(t *testing.T) {
	for name, topic := range map[string]string{
		"blank": "a b", "empty": "", "absolute": "/a", "upwards": "a/../b", "zero byte": "a\x00b",
	} {
		_, err := signalbox.OpenPublisher[Pose](topic, signalbox.PublisherOptions{})
		if !errors.Is(err, signalbox.ErrBadName) {
			t.Errorf("%s: %v", name, err)
		}
		_, err = signalbox.OpenSubscriber[Pose](topic, signalbox.SubscriberOptions{})
		if !errors.Is(err, signalbox.ErrBadName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := signalbox.OpenPublisher[Pose](topicOf(t), signalbox.PublisherOptions{Depth: 3})
	expectError(t, err, signalbox.ErrBadArgument, "depth", "power of two")
	_, err = signalbox.OpenPublisher[Pose](topicOf(t), signalbox.PublisherOptions{Domain: "a/b"})
	expectError(t, err, signalbox.ErrBadName)
}

func TestDomainsAreApart(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{Domain: "one"})
	same := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{Domain: "one"})
	other := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{Domain: "two"})
	sendPose(t, publisher, 1)
	must[*signalbox.Sample[Pose]](t)(same.Take()).Release()
	if sample := must[*signalbox.Sample[Pose]](t)(other.Take()); sample != nil {
		t.Fatal("a message crossed from one domain to another")
	}
}

func TestADifferentTypeIsRefusedByItsField(t *testing.T) {
	openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	type Narrow struct {
		Seq uint64
		XYZ [3]float32
	}
	_, err := signalbox.OpenSubscriber[Narrow](topicOf(t), signalbox.SubscriberOptions{})
	expectError(t, err, signalbox.ErrTypeMismatch, "xyz", topicOf(t))
	type Renamed struct {
		Count uint64
		XYZ   [3]float64
	}
	_, err = signalbox.OpenPublisher[Renamed](topicOf(t), signalbox.PublisherOptions{})
	expectError(t, err, signalbox.ErrTypeMismatch, "seq", "count")
	_, err = signalbox.OpenSubscriber[Pose](topicOf(t), signalbox.SubscriberOptions{Tail: true})
	expectError(t, err, signalbox.ErrTypeMismatch, "tail")
	var failure *signalbox.Error
	if !errors.As(err, &failure) || failure.Code != signalbox.ErrTypeMismatch {
		t.Fatalf("%#v", err)
	}
}

func TestATypeThatCannotBeSharedIsRefusedAtOpen(t *testing.T) {
	type Named struct{ Name string }
	_, err := signalbox.OpenPublisher[Named](topicOf(t), signalbox.PublisherOptions{})
	expectError(t, err, signalbox.ErrBadArgument, "Named.Name", "string")
	_, err = signalbox.OpenSubscriber[Named](topicOf(t), signalbox.SubscriberOptions{})
	expectError(t, err, signalbox.ErrBadArgument, "Named.Name")
}

func TestTheClockIsTheOneOfAllProcesses(t *testing.T) {
	before := signalbox.MonotonicNow()
	if after := signalbox.MonotonicNow(); before <= 0 || after < before {
		t.Fatalf("%d then %d", before, after)
	}
	if signalbox.Version() == "" {
		t.Fatal("the library has a version")
	}
}
