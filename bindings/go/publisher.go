package signalbox

import (
	"context"
	"math"
	"reflect"
	"time"
	"unsafe"
)

// PublisherOptions shape a publisher's memory. A zero field takes the library's default.
type PublisherOptions struct {
	// Depth is how many messages are kept for slow and late subscribers: a power of two up to
	// 65536. Default 16.
	Depth uint32
	// LoansMax is how many messages may be lent at once, up to 64. Default 1.
	LoansMax uint32
	// HeldMax is how many messages subscribers may hold, all together, beyond the ring before
	// Loan finds no memory. Default 4.
	HeldMax uint32
	// TailBytesMax is the largest tail. Not zero: every message of the topic has a tail, and
	// subscribers state so with SubscriberOptions.Tail.
	TailBytesMax uint64
	// GrownTailBytesMax is the largest tail at all. Above TailBytesMax: a Loan of a longer tail
	// makes room for it then, which enters the kernel and may fail with ErrNoSpace; what was made
	// stays until Close. 0: no memory is taken after opening.
	GrownTailBytesMax uint64
	// Domain is the set of topics to join; empty: $SIGNALBOX_DOMAIN, else "default".
	Domain string
	// WhenBehind is what happens when a reliable subscriber is a whole ring behind. Default: wait.
	WhenBehind WhenBehind
	// Wake is whether publishing wakes those who sleep. Default: yes.
	Wake WakeSleepers
	// Tier is what others map of this publisher. Default: plain.
	Tier Tier
}

// Publisher shows messages of type T to every subscriber of a topic. One goroutine uses it at a
// time, on whatever thread; only Close may come from another one at any moment. A publisher that
// is forgotten is closed by the garbage collector.
type Publisher[T any] struct {
	core *publisherCore
}

// OpenPublisher joins the topic as a publisher, creating the topic if nobody has.
//
// Errors: ErrBadArgument (an option, or a T that cannot be shared), ErrBadName, ErrTypeMismatch
// (the text names the field that differs), ErrLayoutMismatch, ErrDamaged, ErrNoSpace,
// ErrPermissionDenied, ErrLimitReached, ErrTimedOut (TierHardened: a participant is stopped),
// ErrNotSupported, ErrSystem.
func OpenPublisher[T any](topic string, o PublisherOptions) (*Publisher[T], error) {
	core, err := openPublisher(topic, reflect.TypeFor[T](), o)
	if err != nil {
		return nil, err
	}
	return &Publisher[T]{core: core}, nil
}

// Loan lends a message to fill in place, with a tail of so many bytes. Its bytes are whatever they
// were before. No system call, unless memory is short.
//
// Errors: ErrWouldBlock (subscribers hold every frame), ErrLimitReached (LoansMax), ErrTooLarge,
// ErrClosed.
func (p *Publisher[T]) Loan(tailBytes int) (*Loan[T], error) {
	cell, err := p.core.loan(tailBytes)
	if err != nil {
		return nil, err
	}
	return &Loan[T]{core: p.core, cell: cell}, nil
}

// Publish shows the message to every subscriber, ends the loan and answers the message's position,
// from 0. It never waits: ErrWouldBlock says that a reliable subscriber is a whole ring behind. On
// any error the loan is still the caller's.
func (p *Publisher[T]) Publish(loan *Loan[T]) (uint64, error) {
	if err := p.owns(loan); err != nil {
		return 0, err
	}
	position, err := p.core.publish(loan.cell, 0)
	loan.endIf(err == nil)
	return position, err
}

// PublishContext is Publish that waits for reliable subscribers until the context ends. The error
// is then ErrTimedOut or ErrInterrupted and wraps the context's own; the loan is still the
// caller's. A message that can be published at once is published even if the context has ended.
func (p *Publisher[T]) PublishContext(ctx context.Context, loan *Loan[T]) (uint64, error) {
	if err := p.owns(loan); err != nil {
		return 0, err
	}
	position, err := p.core.publishContext(ctx, loan.cell)
	loan.endIf(err == nil)
	return position, err
}

// LoanBatch is Loan for up to count messages at once. It answers those that could be lent; an error
// comes with fewer than asked, and is that of the first that could not.
func (p *Publisher[T]) LoanBatch(count, tailBytes int) ([]*Loan[T], error) {
	if err := outOfRange("count", count, 0, math.MaxInt32); err != nil {
		return nil, err
	}
	var loans []*Loan[T]
	for len(loans) < count {
		loan, err := p.Loan(tailBytes)
		if err != nil {
			return loans, err
		}
		loans = append(loans, loan)
	}
	return loans, nil
}

// PublishBatch is Publish for many loans, in order and in one call, and answers how many it
// published, which have ended. Sleepers are woken once. It never waits. An error is that of the
// first loan that was not published: it and those behind it are still the caller's.
func (p *Publisher[T]) PublishBatch(loans []*Loan[T]) (int, error) {
	return p.publishBatch(loans, 0)
}

// PublishBatchContext is PublishBatch that waits for reliable subscribers until the context ends.
// The error is then ErrTimedOut or ErrInterrupted and wraps the context's own.
func (p *Publisher[T]) PublishBatchContext(ctx context.Context, loans []*Loan[T]) (int, error) {
	published := 0
	err := p.core.patiently(ctx, func(wait time.Duration) error {
		more, err := p.publishBatch(loans[published:], wait)
		published += more
		return err
	})
	return published, err
}

func (p *Publisher[T]) publishBatch(loans []*Loan[T], wait time.Duration) (int, error) {
	cells := make([]*loanCell, 0, len(loans))
	for _, loan := range loans {
		if err := p.owns(loan); err != nil {
			return 0, err
		}
		cells = append(cells, loan.cell)
	}
	published, err := p.core.publishCells(cells, wait)
	for _, loan := range loans[:published] {
		loan.endIf(true)
	}
	return published, err
}

// Send is Loan, copy and Publish in one call, for a message at hand as a value. `value` may be nil
// if T has no fixed part. Errors: those of Loan and Publish.
func (p *Publisher[T]) Send(value *T, tail []byte) (uint64, error) {
	if value == nil && unsafe.Sizeof(*value) > 0 {
		return 0, badArgument("cannot send a nil message: its type has a fixed part")
	}
	return p.core.send(unsafe.Pointer(value), tail)
}

// SendBatch publishes a copy of each of the values, in order and in one call, with empty tails
// where the topic has them, and answers how many it published. Sleepers are woken once. It never
// waits. An error is that of the first value that was not published: those of Send.
func (p *Publisher[T]) SendBatch(values []T) (int, error) {
	return p.core.sendBatch(unsafe.Pointer(unsafe.SliceData(values)), unsafe.Sizeof(*new(T)),
		len(values), 0)
}

// SendBatchContext is SendBatch that waits for reliable subscribers until the context ends. The
// error is then ErrTimedOut or ErrInterrupted and wraps the context's own.
func (p *Publisher[T]) SendBatchContext(ctx context.Context, values []T) (int, error) {
	sent := 0
	err := p.core.patiently(ctx, func(wait time.Duration) error {
		rest := values[sent:]
		more, err := p.core.sendBatch(unsafe.Pointer(unsafe.SliceData(rest)),
			unsafe.Sizeof(*new(T)), len(rest), wait)
		sent += more
		return err
	})
	return sent, err
}

// DroppedCount is how many messages were given up because of WhenBehindDropNew.
func (p *Publisher[T]) DroppedCount() uint64 { return p.core.currentCounts().dropped }

// EvictedCount is how many subscribers were left behind because of WhenBehindEvict.
func (p *Publisher[T]) EvictedCount() uint64 { return p.core.currentCounts().evicted }

// SubscriberCount is how many subscribers are attached now; 0 after Close. What is published after
// one was counted reaches it, unless it falls behind. It is cheap: ask before making a message that
// nobody may want.
func (p *Publisher[T]) SubscriberCount() int { return p.core.subscriberCount() }

// Close leaves the topic. Subscribers still receive what was published. Loans that are still open
// end. Closing twice is fine; the error is always nil.
func (p *Publisher[T]) Close() error {
	p.core.close()
	return nil
}

func (p *Publisher[T]) owns(loan *Loan[T]) error {
	if loan == nil || loan.cell == nil {
		return badArgument("cannot publish an empty loan: it was published or dropped before")
	}
	if loan.core != p.core {
		return badArgument("cannot publish the loan of another publisher")
	}
	return nil
}

// Loan is a message being filled in the publisher's memory. It ends by Publish or Drop; until then
// one goroutine at a time may use it.
type Loan[T any] struct {
	core *publisherCore
	cell *loanCell // nil once ended
}

// Data is the fixed part, in place; nil once the loan has ended or its publisher was closed.
func (l *Loan[T]) Data() *T {
	if !l.isOpen() {
		return nil
	}
	if data := l.cell.data(); data != nil {
		return (*T)(data)
	}
	return new(T) // only a T without bytes has no data
}

// Tail is the bytes behind the fixed part, in place; nil once the loan has ended.
func (l *Loan[T]) Tail() []byte {
	if !l.isOpen() {
		return nil
	}
	return l.cell.tail()
}

// Shorten makes the tail end after n bytes. Error: ErrBadArgument if it has fewer.
func (l *Loan[T]) Shorten(n int) error {
	if l.cell == nil {
		return badArgument("cannot shorten an empty loan: it was published or dropped before")
	}
	return l.core.shorten(l.cell, n)
}

// Drop gives the message back unpublished. A loan that has ended is left alone, so Drop may be
// deferred right after Loan.
func (l *Loan[T]) Drop() {
	if l.cell == nil {
		return
	}
	l.core.drop(l.cell)
	l.endIf(true)
}

func (l *Loan[T]) isOpen() bool { return l.cell != nil && !l.core.isClosed.Load() }

func (l *Loan[T]) endIf(ended bool) {
	if ended {
		l.cell.giveBack()
		l.cell = nil
	}
}
