package signalbox

/*
#cgo nocallback sbxgo_take
#cgo nocallback sbxgo_take_looking
#cgo nocallback sbxgo_take_batch
#cgo noescape sbxgo_take_batch
#cgo nocallback sbxgo_release
#cgo nocallback sbx_subscriber_close
#cgo nocallback sbx_subscriber_descriptor
#cgo nocallback sbx_subscriber_lost_count
#cgo nocallback sbx_subscriber_skipped_count
#cgo nocallback sbx_subscriber_dropped_count
#cgo nocallback sbx_subscriber_publisher_count
#include "native.h"
*/
import "C"

import (
	"context"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// subscriberCore is a subscriber without its type. The mutex is held only inside C, never while a
// goroutine is parked, so Close and the counters come through a blocked Receive; to one that holds
// a thread they come by enter.
type subscriberCore struct {
	topic      string
	spinMax    time.Duration
	holdThread bool
	receiving  atomic.Bool // a goroutine is in Receive
	visitors   sync.Mutex  // taken before mu by those who meet a sleeper
	mu         sync.Mutex
	asleep     C.int32_t         // the thread that sleeps in C with mu; 0: none
	handle     *C.sbx_subscriber // nil once closed
	isClosing  bool              // no call may use the handle any more but close's own
	answer     answer
	doorway    *doorway // nil until the first Receive that has to park
	counts     counts   // as they were at close
}

type counts struct{ lost, skipped, dropped uint64 }

func openSubscriber(topic string, t reflect.Type, o SubscriberOptions) (*subscriberCore, error) {
	if o.SpinMax < 0 {
		return nil, badArgument("cannot subscribe to topic \"" + topic + "\": SpinMax is less than 0")
	}
	description, bad := describeTopic(t, o.Tail)
	if bad != nil {
		return nil, bad
	}
	texts, bad := newOpenStrings(topic, t, description, o.Domain)
	if bad != nil {
		return nil, bad
	}
	defer texts.free()
	core := &subscriberCore{topic: topic, spinMax: o.SpinMax, holdThread: o.HoldThread,
		answer: newAnswer()}
	var handle *C.sbx_subscriber
	code := C.sbxgo_open_subscriber(texts.topic, texts.typeName, texts.description,
		C.uint64_t(o.Start.messagesBack()), C.uint32_t(intOf(o.Reliable)), texts.domain,
		C.uint32_t(o.Tier), C.uint32_t(intOf(o.WritableRing)), &handle, &core.answer.c.error)
	if code != C.SBX_OK {
		err := core.answer.failure(code)
		core.answer.free()
		return nil, err
	}
	core.handle = handle
	// A finalizer and not a cleanup: see openPublisher.
	runtime.SetFinalizer(core, (*subscriberCore).close)
	return core, nil
}

func (s *subscriberCore) close() {
	s.enter()
	if s.isClosing {
		s.mu.Unlock()
		return
	}
	s.isClosing = true
	doorway := s.doorway
	s.mu.Unlock()

	// Outside the mutex: it wakes a parked Receive, whose last look needs the mutex, and returns when
	// that has left. One that slept in C has been woken by enter, and sees isClosing.
	if doorway != nil {
		doorway.close()
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = s.readCounts()
	C.sbx_subscriber_close(s.handle)
	s.handle = nil
	s.answer.free()
	runtime.SetFinalizer(s, nil)
}

// take answers whether it put a message into the cell.
func (s *subscriberCore) take(cell *sampleCell, latest bool) (bool, error) {
	toLatest := C.int(0)
	if latest {
		toLatest = 1
	}
	s.enter()
	defer s.mu.Unlock()
	if s.isClosing {
		return false, closedError("take from", s.topic)
	}
	outcome := C.sbxgo_take(s.handle, toLatest, cell.c, &s.answer.c.error)
	if outcome < 0 {
		return false, s.answer.failure(-outcome)
	}
	return outcome != 0, nil
}

// takeBatch answers how many messages it took, also with an error.
func (s *subscriberCore) takeBatch(messages unsafe.Pointer, bytes uintptr, room int) (int, error) {
	if bytes == 0 {
		return 0, badArgument("cannot take a batch: the message type has no fixed part")
	}
	s.enter()
	defer s.mu.Unlock()
	if s.isClosing {
		return 0, closedError("take from", s.topic)
	}
	code := C.sbxgo_take_batch(s.handle, (*C.uchar)(messages), C.uint64_t(room), &s.answer.c.count,
		&s.answer.c.error)
	taken := int(s.answer.c.count)
	if code != C.SBX_OK {
		return taken, s.answer.failure(code)
	}
	return taken, nil
}

// looksAtOnce is how often takeSoon looks before it sees to the clock, the context and Close: about
// a microsecond.
const looksAtOnce = 100

// takeSoon looks again and again, as long as the options allow.
func (s *subscriberCore) takeSoon(ctx context.Context, cell *sampleCell) (bool, error) {
	// The clock is asked after the first look: a message that is there already need not wait for it.
	for end := (time.Time{}); ; {
		if taken, err := s.takeLooking(cell); taken || err != nil {
			return taken, err
		}
		now := time.Now()
		if end.IsZero() {
			end = now.Add(s.spinMax)
		}
		if ctx.Err() != nil || now.After(end) {
			return false, nil
		}
	}
}

// takeLooking is take that looks for a while.
func (s *subscriberCore) takeLooking(cell *sampleCell) (bool, error) {
	s.enter()
	defer s.mu.Unlock()
	if s.isClosing {
		return false, closedError("receive from", s.topic)
	}
	outcome := C.sbxgo_take_looking(s.handle, looksAtOnce, cell.c, &s.answer.c.error)
	if outcome < 0 {
		return false, s.answer.failure(-outcome)
	}
	return outcome != 0, nil
}

// receive takes, and waits while there is nothing to take.
func (s *subscriberCore) receive(ctx context.Context, cell *sampleCell) error {
	if ctx.Err() != nil {
		return contextError("receive from", s.topic, ctx)
	}
	first := func() (bool, error) { return s.take(cell, false) }
	if s.spinMax > 0 {
		first = func() (bool, error) { return s.takeSoon(ctx, cell) }
	}
	if taken, err := first(); taken || err != nil {
		return err
	}
	if !s.receiving.CompareAndSwap(false, true) {
		return badArgument("cannot receive from topic \"" + s.topic + "\": another goroutine is " +
			"waiting in Receive on this subscriber. Open a subscriber for each goroutine")
	}
	defer s.receiving.Store(false)
	if s.holdThread {
		return s.sleepAndTake(ctx, cell)
	}
	doorway, err := s.openDoorway()
	if err != nil {
		return err
	}
	return doorway.wait(ctx, func() (bool, error) { return s.take(cell, false) })
}

func (s *subscriberCore) openDoorway() (*doorway, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosing {
		return nil, closedError("receive from", s.topic)
	}
	if s.doorway != nil {
		return s.doorway, nil
	}
	code := C.sbx_subscriber_descriptor(s.handle, &s.answer.c.descriptor, &s.answer.c.error)
	if code != C.SBX_OK {
		return nil, s.answer.failure(code)
	}
	doorway, err := newDoorway(topicObject(s.topic), int(s.answer.c.descriptor))
	if err != nil {
		return nil, err
	}
	s.doorway = doorway
	return doorway, nil
}

// readCounts needs the mutex and an open handle.
func (s *subscriberCore) readCounts() counts {
	return counts{
		lost:    uint64(C.sbx_subscriber_lost_count(s.handle)),
		skipped: uint64(C.sbx_subscriber_skipped_count(s.handle)),
		dropped: uint64(C.sbx_subscriber_dropped_count(s.handle)),
	}
}

func (s *subscriberCore) lostCount() uint64 {
	return s.count(&s.counts.lost, func() C.uint64_t { return C.sbx_subscriber_lost_count(s.handle) })
}

func (s *subscriberCore) skippedCount() uint64 {
	return s.count(&s.counts.skipped,
		func() C.uint64_t { return C.sbx_subscriber_skipped_count(s.handle) })
}

func (s *subscriberCore) droppedCount() uint64 {
	return s.count(&s.counts.dropped,
		func() C.uint64_t { return C.sbx_subscriber_dropped_count(s.handle) })
}

func (s *subscriberCore) count(atClose *uint64, now func() C.uint64_t) uint64 {
	s.enter()
	defer s.mu.Unlock()
	if s.handle == nil {
		return *atClose
	}
	return uint64(now())
}

func (s *subscriberCore) publisherCount() int {
	s.enter()
	defer s.mu.Unlock()
	if s.isClosing {
		return 0
	}
	return int(C.sbx_subscriber_publisher_count(s.handle))
}

// sampleCell owns one sbx_sample in C memory, where it may not move: a small message lies in it.
// While held it is reachable only from its Sample: a Sample that is forgotten takes the cell with
// it, and the finalizer, set once for the cell's whole life, releases the message. So the safety
// net costs nothing per message.
type sampleCell struct {
	c *C.sbxgo_sample
}

var sampleCells = sync.Pool{New: func() any {
	cell := &sampleCell{c: (*C.sbxgo_sample)(C.calloc(1, C.sizeof_sbxgo_sample))}
	runtime.SetFinalizer(cell, (*sampleCell).end)
	return cell
}}

func (c *sampleCell) end() { C.sbxgo_release_and_free(c.c) }

// release ends the message and makes the cell ready for the next.
func (c *sampleCell) release() {
	if c.c.sample.hold_ == nil {
		c.c.held = 0 // a copy: nothing that C would have to give back, and the way there is dear
	} else {
		C.sbxgo_release(c.c)
	}
	sampleCells.Put(c)
}

func (c *sampleCell) data() unsafe.Pointer { return c.c.sample.data }

func (c *sampleCell) tail() []byte {
	return unsafe.Slice((*byte)(c.c.sample.tail), int(c.c.sample.tail_bytes))
}

func (c *sampleCell) position() uint64  { return uint64(c.c.sample.position) }
func (c *sampleCell) publisher() uint64 { return uint64(c.c.sample.publisher) }
