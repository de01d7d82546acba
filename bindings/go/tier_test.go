package signalbox_test

import (
	"testing"

	"signalbox.dev/go/signalbox"
)

func TestTopicsOfTheHardenedTierCarryMessages(t *testing.T) {
	publisher := openPublisher[Pose](t, topicOf(t),
		signalbox.PublisherOptions{Tier: signalbox.TierHardened})
	subscriber := openSubscriber[Pose](t, topicOf(t),
		signalbox.SubscriberOptions{Tier: signalbox.TierHardened})
	must[uint64](t)(publisher.Send(&Pose{Seq: 7}, nil))
	sample := must[*signalbox.Sample[Pose]](t)(subscriber.Receive(within(t)))
	if sample.Data().Seq != 7 {
		t.Fatal("another message came:", sample.Data().Seq)
	}
}

func TestAnotherTierIsRefused(t *testing.T) {
	openPublisher[Pose](t, topicOf(t), signalbox.PublisherOptions{Tier: signalbox.TierHardened})
	_, err := signalbox.OpenSubscriber[Pose](topicOf(t), signalbox.SubscriberOptions{})
	expectError(t, err, signalbox.ErrLayoutMismatch, "hardened", "plain")
	_, err = signalbox.OpenSubscriber[Pose](topicOf(t), signalbox.SubscriberOptions{Tier: 2})
	expectError(t, err, signalbox.ErrBadArgument, "tier")
}
