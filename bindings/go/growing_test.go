package signalbox_test

// Tails that are longer than a publisher was opened for, and loans in batches.

import (
	"context"
	"strings"
	"testing"

	"signalbox.dev/go/signalbox"
)

func fillTail(loan *signalbox.Loan[Frame], number uint64) {
	*loan.Data() = Frame{Number: number}
	for i := range loan.Tail() {
		loan.Tail()[i] = byte(number) + byte(i*7)
	}
}

func expectTail(t testing.TB, subscriber *signalbox.Subscriber[Frame], number uint64, bytes int) {
	t.Helper()
	sample := must[*signalbox.Sample[Frame]](t)(subscriber.Take())
	if sample == nil {
		t.Fatal("no message", number)
	}
	defer sample.Release()
	if sample.Data().Number != number || len(sample.Tail()) != bytes {
		t.Fatalf("expected message %d with %d bytes, got %d with %d", number, bytes,
			sample.Data().Number, len(sample.Tail()))
	}
	for i, value := range sample.Tail() {
		if value != byte(number)+byte(i*7) {
			t.Fatal("byte", i, "of message", number)
		}
	}
}

func TestAPublisherGrows(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t),
		signalbox.PublisherOptions{TailBytesMax: 100, GrownTailBytesMax: 1 << 20})
	subscriber := openSubscriber[Frame](t, topicOf(t), signalbox.SubscriberOptions{Tail: true})
	for number, bytes := range []int{50, 5000, 0, 1 << 20, 100, 70000} {
		loan := must[*signalbox.Loan[Frame]](t)(publisher.Loan(bytes))
		fillTail(loan, uint64(number))
		must[uint64](t)(publisher.Publish(loan))
		expectTail(t, subscriber, uint64(number), bytes)
	}
	_, err := publisher.Loan(1<<20 + 1)
	expectError(t, err, signalbox.ErrTooLarge)
	if !strings.Contains(err.Error(), "grown_tail_bytes_max 1048576") {
		t.Fatal(err)
	}
}

func TestLoansComeAndGoInBatches(t *testing.T) {
	publisher := openPublisher[Frame](t, topicOf(t), signalbox.PublisherOptions{
		Depth: 4, LoansMax: 6, GrownTailBytesMax: 10000})
	subscriber := openSubscriber[Frame](t, topicOf(t),
		signalbox.SubscriberOptions{Tail: true, Reliable: true})
	loans, err := publisher.LoanBatch(8, 5000)
	expectError(t, err, signalbox.ErrLimitReached)
	if len(loans) != 6 {
		t.Fatal("lent", len(loans))
	}
	for i, loan := range loans {
		fillTail(loan, uint64(i))
	}
	published, err := publisher.PublishBatch(loans)
	expectError(t, err, signalbox.ErrWouldBlock)
	if published != 4 || loans[3].Data() != nil || loans[4].Data() == nil {
		t.Fatal("published", published)
	}
	for i := range 4 {
		expectTail(t, subscriber, uint64(i), 5000)
	}
	if _, err := publisher.PublishBatch(loans); err == nil {
		t.Fatal("loans that have ended were published")
	}
	more, err := publisher.PublishBatchContext(context.Background(), loans[4:])
	if more != 2 || err != nil {
		t.Fatal("published", more, err)
	}
	expectTail(t, subscriber, 4, 5000)
	expectTail(t, subscriber, 5, 5000)
}
