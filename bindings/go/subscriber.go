package signalbox

import (
	"context"
	"iter"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"
)

// SubscriberOptions say what a subscriber wants. The zero value: from the latest message on, lossy,
// no tail, the default domain.
type SubscriberOptions struct {
	// Start is where to begin: Latest, Next, Oldest or Back(n).
	Start Start
	// Reliable makes publishers wait for this subscriber instead of overwriting what it has not
	// taken. Default: it loses the oldest messages when it is slow, and counts them.
	Reliable bool
	// Tail says that the topic's messages carry a tail behind T. Bytes always do.
	Tail bool
	// Domain is the set of topics to join; empty: $SIGNALBOX_DOMAIN, else "default".
	Domain string
	// SpinMax is how long Receive may look again and again before it waits. While it looks it keeps
	// its OS thread busy, and saves the wake-up of a message that comes soon. Default: it waits at
	// once.
	SpinMax time.Duration
	// HoldThread makes a Receive that waits sleep in the kernel on the topic itself, as a thread in
	// C++ does, and keep one OS thread while it sleeps, though no place in Go's scheduler. It wakes
	// about 1 microsecond later than that thread would, a parked goroutine about 15, by a second
	// wake-up out of Go's poller; after milliseconds of silence 25 and 40, while Go's own threads wake
	// as well (measured; they depend on the machine). For the few topics where that matters: all else
	// is as without it. Default: the goroutine is parked, and holds no thread.
	HoldThread bool
	// Tier is that of the topic's other users. Default: plain.
	Tier Tier
	// WritableRing maps the rings of publishers writable, though nothing here writes them. On some
	// processors (AMD's EPYC) small messages come a tenth sooner then. The price: a stray write of
	// this process may spoil messages, or the page before them by which their publisher works, for
	// everybody. Frames stay read-only, and so does all where it may not be opened for writing, and
	// in the hardened tier.
	WritableRing bool
}

// Subscriber takes messages of type T from a topic. One goroutine uses it at a time, on whatever
// thread; Close and the counters may be called by others at any moment, also during a Receive. A
// subscriber that is forgotten is closed by the garbage collector.
//
// When a publisher dies or restarts there is nothing to do: what it published is still taken, and
// the next publisher is found by itself.
type Subscriber[T any] struct {
	core *subscriberCore
}

// OpenSubscriber joins the topic as a subscriber, creating the topic if nobody has. Errors: those
// of OpenPublisher.
func OpenSubscriber[T any](topic string, o SubscriberOptions) (*Subscriber[T], error) {
	core, err := openSubscriber(topic, reflect.TypeFor[T](), o)
	if err != nil {
		return nil, err
	}
	return &Subscriber[T]{core: core}, nil
}

// Take answers the next message in publishing order, or nil and no error if there is nothing new.
// Call Release when done with it. No system call, unless somebody joined or left.
//
// Errors: ErrLimitReached (64 large samples are held: release one), ErrDamaged, ErrClosed,
// ErrEvicted (a publisher went on without this reliable subscriber and gives it nothing more: open
// another).
func (s *Subscriber[T]) Take() (*Sample[T], error) { return s.take(false) }

// TakeLatest is Take that skips to the newest message of the publisher whose turn it is, of several
// one after the other; SkippedCount counts what it passed over.
func (s *Subscriber[T]) TakeLatest() (*Sample[T], error) { return s.take(true) }

func (s *Subscriber[T]) take(latest bool) (*Sample[T], error) {
	cell := sampleCells.Get().(*sampleCell)
	taken, err := s.core.take(cell, latest)
	if !taken {
		sampleCells.Put(cell)
		return nil, err
	}
	return newSample[T](cell), nil
}

// TakeBatch copies as many messages as there are into values, up to its length, in order, and
// answers how many: 0 and no error if there is nothing new. Tails are passed over. Cheaper than
// Take where messages are small and many. An error is that of the message behind the last one
// taken: those of Take.
func (s *Subscriber[T]) TakeBatch(values []T) (int, error) {
	return s.core.takeBatch(unsafe.Pointer(unsafe.SliceData(values)), unsafe.Sizeof(*new(T)),
		len(values))
}

// Receive answers the next message and waits for it until the context ends. Waiting parks the
// goroutine in Go's poller and holds no OS thread, unless SubscriberOptions.HoldThread asks for
// that; SpinMax lets it look again and again before. A context that has ended comes before a
// message that is there, so that a loop over Receive always stops.
//
// Errors: those of Take; ErrClosed also when Close comes during the wait; ErrTimedOut and
// ErrInterrupted when the context ends, which wrap the context's own error.
func (s *Subscriber[T]) Receive(ctx context.Context) (*Sample[T], error) {
	cell := sampleCells.Get().(*sampleCell)
	if err := s.core.receive(ctx, cell); err != nil {
		sampleCells.Put(cell)
		return nil, err
	}
	return newSample[T](cell), nil
}

// All is Receive in a loop: each message in turn, released when the loop's body ends. The loop ends
// after the first error, which it hands to the body with a nil sample.
//
//	for sample, err := range subscriber.All(ctx) {
//		if err != nil {
//			return err
//		}
//		use(sample.Data())
//	}
func (s *Subscriber[T]) All(ctx context.Context) iter.Seq2[*Sample[T], error] {
	return func(yield func(*Sample[T], error) bool) {
		for {
			sample, err := s.Receive(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if !lend(sample, yield) {
				return
			}
		}
	}
}

// lend releases the sample also when the loop's body panics.
func lend[T any](sample *Sample[T], yield func(*Sample[T], error) bool) bool {
	defer sample.Release()
	return yield(sample, nil)
}

// LostCount is how many messages were overwritten before this subscriber came to them, counted when
// it does; and of a publisher that evicted it all that it has not taken, a number that grows with
// each further message: it is looked up at each call, in every slot of such a publisher.
func (s *Subscriber[T]) LostCount() uint64 { return s.core.lostCount() }

// SkippedCount is how many messages TakeLatest passed over.
func (s *Subscriber[T]) SkippedCount() uint64 { return s.core.skippedCount() }

// DroppedCount is how many messages publishers gave up since this subscriber joined, because of
// WhenBehindDropNew, so that nobody got them. It enters the kernel only when somebody joined or
// left.
func (s *Subscriber[T]) DroppedCount() uint64 { return s.core.droppedCount() }

// PublisherCount is how many publishers are attached now; 0 after Close.
func (s *Subscriber[T]) PublisherCount() int { return s.core.publisherCount() }

// Close leaves the topic and ends a Receive that waits in another goroutine. Samples still held
// stay valid until they are released. Closing twice is fine; the error is always nil.
func (s *Subscriber[T]) Close() error {
	s.core.close()
	return nil
}

// Sample is one received message, read-only: writing to it is a fault, since large messages lie in
// the publisher's memory, which is mapped for reading. Release it soon, for it keeps that memory
// from being used again; and keep the Sample as long as you use what Data and Tail answered, since
// a Sample that is forgotten is released by the garbage collector. `defer sample.Release()` does
// both.
type Sample[T any] struct {
	cell      atomic.Pointer[sampleCell] // nil once released
	data      *T
	tail      []byte
	position  uint64
	publisher uint64
}

func newSample[T any](cell *sampleCell) *Sample[T] {
	sample := &Sample[T]{
		data:      (*T)(cell.data()),
		tail:      cell.tail(),
		position:  cell.position(),
		publisher: cell.publisher(),
	}
	if sample.data == nil {
		sample.data = new(T) // only a T without bytes has no data
	}
	sample.cell.Store(cell)
	return sample
}

// Data is the fixed part, in place; nil after Release.
func (s *Sample[T]) Data() *T {
	if s.cell.Load() == nil {
		return nil
	}
	return s.data
}

// Tail is the bytes behind the fixed part, in place; nil if there are none, and after Release.
func (s *Sample[T]) Tail() []byte {
	if s.cell.Load() == nil {
		return nil
	}
	return s.tail
}

// Position is the message's number at its publisher, from 0.
func (s *Sample[T]) Position() uint64 { return s.position }

// Publisher is the publisher's incarnation: another number after a restart.
func (s *Sample[T]) Publisher() uint64 { return s.publisher }

// Release ends the use of the message. Any goroutine may call it, any number of times, also after
// the subscriber was closed.
func (s *Sample[T]) Release() {
	if cell := s.cell.Swap(nil); cell != nil {
		cell.release()
	}
}
