package signalbox_test

// What happens to a reliable subscriber that is behind, a publisher that wakes nobody, and looking
// again and again before parking.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

// roleTellEviction does not take before it is told to, and says how that ended.
func roleTellEviction(topic string) error {
	poses, err := signalbox.OpenSubscriber[Pose](topic,
		signalbox.SubscriberOptions{Start: signalbox.Oldest, Reliable: true})
	if err != nil {
		return err
	}
	orders, err := signalbox.OpenSubscriber[Pose](topic+".now", signalbox.SubscriberOptions{})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := orders.Receive(context.Background()); err != nil {
		return err
	}
	_, err = poses.Take()
	fmt.Println(errors.Is(err, signalbox.ErrEvicted), poses.LostCount())
	return nil
}

func TestAnEvictedProcessIsToldAndCounted(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t),
		signalbox.PublisherOptions{Depth: 4, WhenBehind: signalbox.WhenBehindEvict})
	orders := openPublisher[Pose](t, topicOf(t)+".now", signalbox.PublisherOptions{})
	slow := exec.Command(os.Args[0])
	slow.Env = append(os.Environ(), "SIGNALBOX_GO_TEST_ROLE=tell eviction",
		"SIGNALBOX_GO_TEST_TOPIC="+topicOf(t))
	slow.Stderr = os.Stderr
	// Its end tells the process that we are gone.
	_, err := slow.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := slow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	dead := time.AfterFunc(watchdog, func() { slow.Process.Kill() })
	t.Cleanup(func() {
		dead.Stop()
		slow.Process.Kill()
		slow.Wait()
	})
	said := bufio.NewScanner(output)
	expect := func(words string) {
		t.Helper()
		if !said.Scan() || said.Text() != words {
			t.Fatalf("expected %q, the process said %q", words, said.Text())
		}
	}
	expect("ready")
	for seq := range uint64(4) {
		sendPose(t, publisher, seq)
	}
	if count := publisher.EvictedCount(); count != 0 {
		t.Fatal("evicted", count)
	}
	sendPose(t, publisher, 4)
	if evicted, dropped := publisher.EvictedCount(), publisher.DroppedCount(); evicted != 1 ||
		dropped != 0 {
		t.Fatal("evicted", evicted, "dropped", dropped)
	}
	sendPose(t, orders, 0)
	expect("true 5")
	publisher.Close()
	if count := publisher.EvictedCount(); count != 1 {
		t.Fatal("forgotten at close:", count)
	}
}

func TestReceiveTellsAnEviction(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		publisher := openPublisher[Pose](t, topicOf(t),
			signalbox.PublisherOptions{Depth: 2, WhenBehind: signalbox.WhenBehindEvict})
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{Reliable: true}))
		for seq := range uint64(3) {
			sendPose(t, publisher, seq)
		}
		_, err := subscriber.Receive(within(t))
		expectError(t, err, signalbox.ErrEvicted, "open it again")
		_, err = subscriber.TakeBatch(make([]Pose, 4))
		expectError(t, err, signalbox.ErrEvicted)
		sendPose(t, publisher, 3)
		if count := subscriber.LostCount(); count != 4 {
			t.Fatal("lost", count)
		}
	})
}

func TestDropNewNeverWaitsAndCountsEachMessageOnce(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t),
		signalbox.PublisherOptions{Depth: 2, WhenBehind: signalbox.WhenBehindDropNew})
	subscriber := openSubscriber[Pose](t, topicOf(t), signalbox.SubscriberOptions{Reliable: true})
	sendPose(t, publisher, 0)
	sendPose(t, publisher, 1)
	_, err := publisher.Send(&Pose{Seq: 9}, nil)
	expectError(t, err, signalbox.ErrWouldBlock)
	loan := must[*signalbox.Loan[Pose]](t)(publisher.Loan(0))
	*loan.Data() = Pose{Seq: 2}
	_, err = publisher.PublishContext(within(t), loan)
	expectError(t, err, signalbox.ErrWouldBlock)
	sent, err := publisher.SendBatchContext(within(t), make([]Pose, 3))
	expectError(t, err, signalbox.ErrWouldBlock)
	if count := publisher.DroppedCount(); sent != 0 || count != 3 {
		t.Fatal("sent", sent, "dropped", count)
	}
	if count := subscriber.DroppedCount(); count != 3 {
		t.Fatal("the subscriber counts", count)
	}
	expectBatch(t, subscriber, 0, 1)
	must[uint64](t)(publisher.Publish(loan))
	expectBatch(t, subscriber, 2)
	subscriber.Close()
	if dropped, lost := subscriber.DroppedCount(), subscriber.LostCount(); dropped != 3 || lost != 0 {
		t.Fatal("after the close: dropped", dropped, "lost", lost)
	}
}

func TestOptionsOutOfRangeAreRefusedByName(t *testing.T) {
	_, err := signalbox.OpenPublisher[Pose](topicOf(t), signalbox.PublisherOptions{WhenBehind: 3})
	expectError(t, err, signalbox.ErrBadArgument, "when_behind")
	_, err = signalbox.OpenPublisher[Pose](topicOf(t), signalbox.PublisherOptions{Wake: 2})
	expectError(t, err, signalbox.ErrBadArgument, "wake")
	_, err = signalbox.OpenSubscriber[Pose](topicOf(t), signalbox.SubscriberOptions{SpinMax: -1})
	expectError(t, err, signalbox.ErrBadArgument, "SpinMax")
}

func TestASilentPublisherIsFoundAllTheSame(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		publisher := openPublisher[Pose](t, topicOf(t),
			signalbox.PublisherOptions{Wake: signalbox.WakeSleepersNo})
		subscriber := openSubscriber[Pose](t, topicOf(t), way.with(signalbox.SubscriberOptions{}))
		loan := must[*signalbox.Loan[Pose]](t)(publisher.Loan(0))
		*loan.Data() = Pose{Seq: 7}
		received := make(chan error, 1)
		go func() {
			sample, err := subscriber.Receive(within(t))
			if err == nil && sample.Data().Seq != 7 {
				err = errors.New("another message came")
			}
			received <- err
		}()
		way.waitUntilBlocked(t, 1)
		must[uint64](t)(publisher.Publish(loan))
		if err := <-received; err != nil {
			t.Fatal(err)
		}
	})
}

// A Receive that never stops looking would not see its context's end, nor Close.
func TestReceiveThatSpinsFindsMessagesAndEndsWithItsContext(t *testing.T) {
	inBothWays(t, func(t *testing.T, way waiting) {
		publisher := openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{})
		subscriber := openSubscriber[Pose](t, topicOf(t),
			way.with(signalbox.SubscriberOptions{SpinMax: watchdog}))
		sendPose(t, publisher, 1)
		sample := must[*signalbox.Sample[Pose]](t)(subscriber.Receive(within(t)))
		if sample.Data().Seq != 1 {
			t.Fatal("another message came")
		}
		sample.Release()
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_, err := subscriber.Receive(ctx)
		expectError(t, err, signalbox.ErrTimedOut)
		ended := make(chan error, 1)
		go func() {
			_, err := subscriber.Receive(context.Background())
			ended <- err
		}()
		eventually(t, "a goroutine looks again and again", func() bool {
			stacks := make([]byte, 1<<20)
			return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("takeSoon("))
		})
		subscriber.Close()
		expectError(t, <-ended, signalbox.ErrClosed)
	})
}
