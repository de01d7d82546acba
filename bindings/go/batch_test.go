package signalbox_test

// Many messages in one call: the same ones, in the same order.

import (
	"context"
	"fmt"
	"testing"

	"signalbox.dev/go/signalbox"
)

func posesFrom(first uint64, count int) []Pose {
	poses := make([]Pose, count)
	for i := range poses {
		seq := first + uint64(i)
		poses[i] = Pose{Seq: seq, XYZ: [3]float64{float64(seq), 0.5, -float64(seq)}}
	}
	return poses
}

// expectBatch takes all there is and compares the numbers.
func expectBatch(t testing.TB, subscriber *signalbox.Subscriber[Pose], seqs ...uint64) {
	t.Helper()
	batch := make([]Pose, 100)
	taken := must[int](t)(subscriber.TakeBatch(batch))
	if taken != len(seqs) {
		t.Fatalf("expected %d messages, got %d", len(seqs), taken)
	}
	for i, seq := range seqs {
		if batch[i].Seq != seq {
			t.Fatalf("expected message %d, got %d", seq, batch[i].Seq)
		}
	}
}

func TestABatchArrivesWholeAndInOrder(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{Depth: 64})
	subscriber := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{})
	sent := posesFrom(100, 50)
	if count := must[int](t)(publisher.SendBatch(sent)); count != 50 {
		t.Fatal("sent", count)
	}
	taken := make([]Pose, 20)
	for at := 0; at < 50; {
		count := must[int](t)(subscriber.TakeBatch(taken))
		for i := range count {
			if taken[i] != sent[at+i] {
				t.Fatal("message", at+i, "is", taken[i])
			}
		}
		at += count
		if count != 20 && at != 50 {
			t.Fatal("a batch ended early, at", at)
		}
	}
	expectBatch(t, subscriber)
	for _, empty := range [][]Pose{nil, {}} {
		if count := must[int](t)(publisher.SendBatch(empty)); count != 0 {
			t.Fatal("sent", count)
		}
		if count := must[int](t)(subscriber.TakeBatch(empty)); count != 0 {
			t.Fatal("took", count)
		}
	}
}

func TestAShortBatchSaysHowManyAndWhy(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{Depth: 8})
	subscriber := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{Reliable: true})
	sent, err := publisher.SendBatch(posesFrom(0, 10))
	expectError(t, err, signalbox.ErrWouldBlock)
	if sent != 8 {
		t.Fatal("sent", sent)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	sent, err = publisher.SendBatchContext(ended, posesFrom(8, 2))
	expectError(t, err, context.Canceled)
	if sent != 0 {
		t.Fatal("sent", sent)
	}
	expectBatch(t, subscriber, 0, 1, 2, 3, 4, 5, 6, 7)
}

func TestLargeMessagesComeInBatchesToo(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{TailBytesMax: 16})
	subscriber := openSubscriber[Frame](t, topicOf(t), signalbox.SubscriberOptions{Tail: true})
	frames := []Frame{{Number: 1}, {Number: 2, Label: [480]byte{479: 'x'}}, {Number: 3}}
	must[int](t)(publisher.SendBatch(frames))
	taken := make([]Frame, 5)
	if count := must[int](t)(subscriber.TakeBatch(taken)); count != 3 {
		t.Fatal("took", count)
	}
	for i, frame := range frames {
		if taken[i] != frame {
			t.Fatal("message", i, "is", taken[i])
		}
	}
}

func TestFramesThatAreHeldEndABatchThatMayWait(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{Depth: 2, HeldMax: 1})
	subscriber := openSubscriber[Frame](t, topicOf(t), signalbox.SubscriberOptions{})
	for range 10 {
		if _, err := publisher.SendBatchContext(within(t), make([]Frame, 1)); err != nil {
			expectError(t, err, signalbox.ErrWouldBlock, "hold")
			return
		}
		sample := must[*signalbox.Sample[Frame]](t)(subscriber.Take())
		defer sample.Release()
	}
	t.Fatal("there were more frames than the publisher has")
}

func TestBytesHaveNoBatches(t *testing.T) {
	publisher := openPublisher[signalbox.Bytes](t, topicOf(t),
		signalbox.PublisherOptions{TailBytesMax: 8})
	_, err := publisher.SendBatch(make([]signalbox.Bytes, 1))
	expectError(t, err, signalbox.ErrBadArgument, "no fixed part")
	subscriber := openSubscriber[signalbox.Bytes](t, topicOf(t), signalbox.SubscriberOptions{})
	_, err = subscriber.TakeBatch(make([]signalbox.Bytes, 1))
	expectError(t, err, signalbox.ErrBadArgument, "no fixed part")
}

// roleRelayBatches sends on what it takes, as reliable as what it takes from.
func roleRelayBatches(topic string) error {
	there, err := signalbox.OpenSubscriber[Pose](topic+".there",
		signalbox.SubscriberOptions{Start: signalbox.Oldest, Reliable: true})
	if err != nil {
		return err
	}
	back, err := signalbox.OpenPublisher[Pose](topic+".back", signalbox.PublisherOptions{Depth: 64})
	if err != nil {
		return err
	}
	ctx := context.Background()
	for batch := make([]Pose, 7); ; {
		first, err := there.Receive(ctx) // parks
		if err != nil {
			return err
		}
		batch[0] = *first.Data()
		first.Release()
		count, err := there.TakeBatch(batch[1:])
		if err != nil {
			return err
		}
		if _, err := back.SendBatchContext(ctx, batch[:1+count]); err != nil {
			return err
		}
	}
}

func TestBatchesCrossProcessesCompleteAndInOrder(t *testing.T) {
	const count = 20000
	there := openPublisher[Pose](t, topicOf(t)+".there", signalbox.PublisherOptions{Depth: 32})
	back := openSubscriber[Pose](t, topicOf(t)+".back",
		signalbox.SubscriberOptions{Start: signalbox.Oldest, Reliable: true})
	startRole(t, "relay batches", topicOf(t))
	eventually(t, "the relay has joined", func() bool {
		return there.SubscriberCount() == 1 && back.PublisherCount() == 1
	})
	failed := make(chan error, 1)
	go func() {
		for first := uint64(0); first < count; first += 100 {
			sent, err := there.SendBatchContext(within(t), posesFrom(first, 100))
			if err != nil || sent != 100 {
				failed <- fmt.Errorf("sent %d of 100: %w", sent, err)
				return
			}
		}
		failed <- nil
	}()
	expected := posesFrom(0, count)
	batch := make([]Pose, 33)
	for at := 0; at < count; {
		first := must[*signalbox.Sample[Pose]](t)(back.Receive(within(t)))
		batch[0] = *first.Data()
		first.Release()
		taken := 1 + must[int](t)(back.TakeBatch(batch[1:]))
		for i, pose := range batch[:taken] {
			if pose != expected[at+i] {
				t.Fatal("message", at+i, "is", pose)
			}
		}
		at += taken
	}
	if err := <-failed; err != nil || back.LostCount() != 0 {
		t.Fatal(err, "lost", back.LostCount())
	}
}

func TestBatchOfFewerThanNoLoansIsRefused(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
	_, err := publisher.LoanBatch(-1, 0)
	expectError(t, err, signalbox.ErrBadArgument, "count is -1. Use a number from 0 to")
	_, err = publisher.LoanBatch(1, -1)
	expectError(t, err, signalbox.ErrBadArgument, "tailBytes is -1. Use a number from 0 to")
}
