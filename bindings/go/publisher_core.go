package signalbox

/*
#cgo nocallback sbx_publisher_loan
#cgo nocallback sbx_publisher_drop
#cgo nocallback sbx_publisher_close
#cgo nocallback sbx_publisher_subscriber_count
#cgo nocallback sbx_loan_shorten
#cgo nocallback sbxgo_publish
#cgo nocallback sbxgo_send
#cgo noescape sbxgo_send
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

// publishSlice bounds how long one call waits in C for a reliable subscriber: between two slices a
// cancelled context and a Close are seen.
const publishSlice = 20 * time.Millisecond

// publisherCore is a publisher without its type. The mutex makes Close safe at any moment and lets
// any thread call; it is uncontended as long as users keep to one goroutine.
type publisherCore struct {
	topic    string
	mu       sync.Mutex
	handle   *C.sbx_publisher // nil once closed
	answer   answer
	isClosed atomic.Bool // handle == nil, readable without the mutex
}

func openPublisher(topic string, t reflect.Type, o PublisherOptions) (*publisherCore, error) {
	description, bad := describeTopic(t, o.TailBytesMax > 0)
	if bad != nil {
		return nil, bad
	}
	texts, bad := newOpenStrings(topic, t, description, o.Domain)
	if bad != nil {
		return nil, bad
	}
	defer texts.free()
	core := &publisherCore{topic: topic, answer: newAnswer()}
	var handle *C.sbx_publisher
	code := C.sbxgo_open_publisher(texts.topic, texts.typeName, texts.description,
		C.uint32_t(o.Depth), C.uint32_t(o.LoansMax), C.uint32_t(o.HeldMax),
		C.uint64_t(o.TailBytesMax), texts.domain, &handle, &core.answer.c.error)
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

func (p *publisherCore) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle == nil {
		return
	}
	p.isClosed.Store(true)
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
	if tailBytes < 0 {
		return nil, badArgument("cannot lend a message with a tail of less than 0 bytes")
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
	if tailBytes < 0 {
		return badArgument("cannot shorten a tail to less than 0 bytes")
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

// publishContext waits in slices, so that the subscriber's progress wakes it at once and the
// context's end within one slice.
func (p *publisherCore) publishContext(ctx context.Context, cell *loanCell) (uint64, error) {
	wait := time.Duration(0)
	for {
		position, err := p.publish(cell, wait)
		if err == nil || !isFullRing(err) {
			return position, err
		}
		if ctx.Err() != nil {
			return 0, contextError("publish on", p.topic, ctx)
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
