package signalbox

/*
#cgo nocallback sbx_publisher_loan
#cgo nocallback sbx_publisher_drop
#cgo nocallback sbx_publisher_close
#cgo nocallback sbx_publisher_subscriber_count
#cgo nocallback sbx_publisher_dropped_count
#cgo nocallback sbx_publisher_evicted_count
#cgo nocallback sbx_loan_shorten
#cgo nocallback sbxgo_publish
#cgo nocallback sbxgo_publish_batch
#cgo noescape sbxgo_publish_batch
#cgo nocallback sbxgo_send
#cgo noescape sbxgo_send
#cgo nocallback sbxgo_send_batch
#cgo noescape sbxgo_send_batch
#include "native.h"
*/
import "C"

import (
	"context"
	"errors"
	"math"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// publishSlice bounds how long one call waits in C for a reliable subscriber: between two slices a
// cancelled context and a Close are seen.
const publishSlice = 20 * time.Millisecond

// publisherCore is a publisher without its type. The mutex makes Close safe at any moment and lets
// any thread call; it is uncontended as long as users keep to one goroutine.
type publisherCore struct {
	topic    string
	waits    bool // for reliable subscribers that are behind, where a call may wait
	mu       sync.Mutex
	handle   *C.sbx_publisher // nil once closed
	answer   answer
	isClosed atomic.Bool     // handle == nil, readable without the mutex
	counts   publisherCounts // as they were at close
}

type publisherCounts struct{ dropped, evicted uint64 }

func openPublisher(topic string, t reflect.Type, o PublisherOptions) (*publisherCore, error) {
	description, bad := describeTopic(t, o.TailBytesMax > 0 || o.GrownTailBytesMax > 0)
	if bad != nil {
		return nil, bad
	}
	texts, bad := newOpenStrings(topic, t, description, o.Domain)
	if bad != nil {
		return nil, bad
	}
	defer texts.free()
	core := &publisherCore{topic: topic, waits: o.WhenBehind == WhenBehindWait, answer: newAnswer()}
	var handle *C.sbx_publisher
	options := o.native(texts.domain)
	code := C.sbxgo_open_publisher(texts.topic, texts.typeName, texts.description, &options, &handle,
		&core.answer.c.error)
	if code != C.SBX_OK {
		err := core.answer.failure(code)
		core.answer.free()
		return nil, err
	}
	core.handle = handle
	// A finalizer and not a cleanup: it keeps the core alive during its own methods, up to the
	// unlock, so that none of them can lose its handle half way.
	runtime.SetFinalizer(core, (*publisherCore).close)
	return core, nil
}

// native is the options for C, where 0 still stands for a default; the domain is C's memory.
func (o PublisherOptions) native(domain *C.char) C.sbx_publisher_options {
	return C.sbx_publisher_options{
		depth:                C.uint32_t(o.Depth),
		loans_max:            C.uint32_t(o.LoansMax),
		held_max:             C.uint32_t(o.HeldMax),
		tail_bytes_max:       C.uint64_t(o.TailBytesMax),
		domain:               domain,
		when_behind:          C.uint32_t(o.WhenBehind),
		wake:                 C.uint32_t(o.Wake),
		tier:                 C.uint32_t(o.Tier),
		grown_tail_bytes_max: C.uint64_t(o.GrownTailBytesMax),
	}
}

func (p *publisherCore) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return
	}
	p.isClosed.Store(true)
	p.counts = p.readCounts()
	C.sbx_publisher_close(p.handle)
	p.handle = nil
	p.answer.free()
	runtime.SetFinalizer(p, nil)
}

func (p *publisherCore) subscriberCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return 0
	}
	return int(C.sbx_publisher_subscriber_count(p.handle))
}

func (p *publisherCore) loan(tailBytes int) (*loanCell, error) {
	if err := outOfRange("tailBytes", tailBytes, 0, math.MaxInt); err != nil {
		return nil, err
	}
	cell := loanCells.Get().(*loanCell)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		loanCells.Put(cell)
		return nil, closedError("publish on", p.topic)
	}
	code := C.sbx_publisher_loan(p.handle, C.uint64_t(tailBytes), &cell.c.loan, &p.answer.c.error)
	if code != C.SBX_OK {
		loanCells.Put(cell)
		return nil, p.answer.failure(code)
	}
	cell.owner = p
	return cell, nil
}

func (p *publisherCore) shorten(cell *loanCell, tailBytes int) error {
	if err := outOfRange("tailBytes", tailBytes, 0, math.MaxInt); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return closedError("publish on", p.topic)
	}
	code := C.sbx_loan_shorten(&cell.c.loan, C.uint64_t(tailBytes), &p.answer.c.error)
	if code != C.SBX_OK {
		return p.answer.failure(code)
	}
	return nil
}

// publish consumes the loan if, and only if, it answers no error.
func (p *publisherCore) publish(cell *loanCell, wait time.Duration) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return 0, closedError("publish on", p.topic)
	}
	code := C.sbxgo_publish(p.handle, cell.c, C.int64_t(wait), &p.answer.c.error)
	if code != C.SBX_OK {
		return 0, p.answer.failure(code)
	}
	return uint64(cell.c.position), nil
}

// publishCells consumes as many of the loans as it answers, from the first on, also with an error.
func (p *publisherCore) publishCells(cells []*loanCell, wait time.Duration) (int, error) {
	if len(cells) > C.sbxgo_loans_max {
		return 0, badArgument("cannot publish more than 64 loans at once: no more can be open")
	}
	loans := make([]*C.sbxgo_loan, len(cells))
	for i, cell := range cells {
		loans[i] = cell.c
	}
	defer runtime.KeepAlive(cells)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return 0, closedError("publish on", p.topic)
	}
	code := C.sbxgo_publish_batch(p.handle, unsafe.SliceData(loans), C.uint64_t(len(loans)),
		C.int64_t(wait), &p.answer.c.count, &p.answer.c.error)
	published := int(p.answer.c.count)
	if code != C.SBX_OK {
		return published, p.answer.failure(code)
	}
	return published, nil
}

func (p *publisherCore) publishContext(ctx context.Context, cell *loanCell) (uint64, error) {
	position := uint64(0)
	err := p.patiently(ctx, func(wait time.Duration) (err error) {
		position, err = p.publish(cell, wait)
		return err
	})
	return position, err
}

// patiently calls `attempt` until it has no error, or one that no waiting cures, or the context
// ends. It waits in slices, so that the subscriber's progress wakes it at once and the context's
// end within one slice.
func (p *publisherCore) patiently(ctx context.Context,
	attempt func(wait time.Duration) error) error {
	wait := time.Duration(0)
	for {
		began := time.Now()
		err := attempt(wait)
		// A publisher that does not wait has dropped the message, and must not drop it twice.
		if err == nil || !p.waits || !isFullRing(err) {
			return err
		}
		if ctx.Err() != nil {
			return contextError("publish on", p.topic, ctx)
		}
		// Nobody is behind, but every frame is held: the library does not wait for that.
		if wait > 0 && errors.Is(err, ErrWouldBlock) && time.Since(began) < wait {
			return err
		}
		wait = publishSlice
		if end, found := ctx.Deadline(); found {
			// At least something, so that a deadline just ahead of its timer does not spin here.
			wait = max(min(wait, time.Until(end)), time.Microsecond)
		}
	}
}

// isFullRing: a reliable subscriber is still behind, which time may cure.
func isFullRing(err error) bool {
	failure, ok := err.(*Error)
	return ok && (failure.Code == ErrWouldBlock || failure.Code == ErrTimedOut ||
		failure.Code == ErrInterrupted)
}

func (p *publisherCore) drop(cell *loanCell) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle != nil {
		C.sbx_publisher_drop(p.handle, &cell.c.loan)
	}
}

// send copies from Go's memory. The pointers are to bytes, which hold no pointers: a pointer of
// another type would make cgo search the whole object around the message.
func (p *publisherCore) send(data unsafe.Pointer, tail []byte) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return 0, closedError("publish on", p.topic)
	}
	code := C.sbxgo_send(p.handle, (*C.uchar)(data), (*C.uchar)(unsafe.SliceData(tail)),
		C.uint64_t(len(tail)), &p.answer.c.position, &p.answer.c.error)
	if code != C.SBX_OK {
		return 0, p.answer.failure(code)
	}
	return uint64(p.answer.c.position), nil
}

// sendBatch answers how many of the messages it published, also with an error. The pointer is to
// bytes for the reason that send gives.
func (p *publisherCore) sendBatch(messages unsafe.Pointer, bytes uintptr, count int,
	wait time.Duration) (int, error) {
	if bytes == 0 {
		return 0, badArgument("cannot send a batch: the message type has no fixed part")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return 0, closedError("publish on", p.topic)
	}
	code := C.sbxgo_send_batch(p.handle, (*C.uchar)(messages), C.uint64_t(count), C.int64_t(wait),
		&p.answer.c.count, &p.answer.c.error)
	sent := int(p.answer.c.count)
	if code != C.SBX_OK {
		return sent, p.answer.failure(code)
	}
	return sent, nil
}

// readCounts needs the mutex and an open handle.
func (p *publisherCore) readCounts() publisherCounts {
	return publisherCounts{
		dropped: uint64(C.sbx_publisher_dropped_count(p.handle)),
		evicted: uint64(C.sbx_publisher_evicted_count(p.handle)),
	}
}

func (p *publisherCore) currentCounts() publisherCounts {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return p.counts
	}
	return p.readCounts()
}

// loanCell owns one sbx_loan in C memory, where it may not move while it is lent. While lent it is
// reachable only from its Loan: a Loan that is forgotten takes the cell with it, and the finalizer
// then gives the message back. The publisher never points at its cells, or the two would keep each
// other alive.
type loanCell struct {
	c     *C.sbxgo_loan
	owner *publisherCore // nil while not lent
}

var loanCells = sync.Pool{New: func() any {
	cell := &loanCell{c: (*C.sbxgo_loan)(C.calloc(1, C.sizeof_sbxgo_loan))}
	runtime.SetFinalizer(cell, (*loanCell).end)
	return cell
}}

func (c *loanCell) end() {
	if c.owner != nil {
		c.owner.drop(c)
	}
	C.free(unsafe.Pointer(c.c))
}

// giveBack ends the lending without a word to the library: the loan was consumed or dropped.
func (c *loanCell) giveBack() {
	c.owner = nil
	loanCells.Put(c)
}

func (c *loanCell) data() unsafe.Pointer { return c.c.loan.data }

func (c *loanCell) tail() []byte {
	return unsafe.Slice((*byte)(c.c.loan.tail), int(c.c.loan.tail_bytes))
}
