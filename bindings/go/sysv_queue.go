package signalbox

/*
#cgo nocallback sbxgo_sysv_send
#cgo nocallback sbxgo_sysv_receive
#include "native_objects.h"
*/
import "C"

import (
	"context"
	"fmt"
	"runtime"
	"unsafe"
)

// MessageFilter says which messages a receive is for: AnyMessage, OnlyType, UpToType, AllButType.
type MessageFilter struct {
	kind uint32
	of   int64
}

// AnyMessage lets the oldest of all through.
func AnyMessage() MessageFilter { return MessageFilter{kind: C.SBX_FILTER_ANY} }

// OnlyType lets the oldest of this type through.
func OnlyType(messageType int64) MessageFilter {
	return MessageFilter{C.SBX_FILTER_EXACT, messageType}
}

// UpToType lets through, of the lowest type that is there and not above this one, the oldest: types
// as priorities.
func UpToType(messageType int64) MessageFilter {
	return MessageFilter{C.SBX_FILTER_UP_TO, messageType}
}

// AllButType lets the oldest that is not of this type through.
func AllButType(messageType int64) MessageFilter {
	return MessageFilter{C.SBX_FILTER_ALL_BUT, messageType}
}

// SysvMessage is a message of a [SysvQueue].
type SysvMessage struct {
	Type int64
	Data []byte // the beginning of the buffer that was given
}

// SysvQueue is a System V queue: whole messages with a type of 1 or more, received by type.
//
// It lives until [SysvQueue.Remove] or the machine restarts, with its messages. Any number of
// goroutines may use it at a time, and nothing is bound to a thread. The kernel cannot poll it, so
// a wait holds one OS thread, though no place in Go's scheduler; a context ends it at once.
type SysvQueue struct {
	open   openHandle
	handle *C.sbx_sysv_queue
	id     int
}

func newSysvQueue(create func(out **C.sbx_sysv_queue, result *C.sbxgo_result) C.int,
) (*SysvQueue, error) {
	var handle *C.sbx_sysv_queue
	err := try(func(result *C.sbxgo_result) C.int { return create(&handle, result) })
	if err != nil {
		return nil, err
	}
	queue := &SysvQueue{handle: handle, id: int(C.sbx_sysv_queue_id(handle))}
	queue.open.free = func() { C.sbx_sysv_queue_close(handle) }
	runtime.SetFinalizer(queue, (*SysvQueue).Close)
	return queue, nil
}

// CreateSysvQueue makes a new queue; mode 0 is 0600. Errors: ErrAlreadyExists, ErrNoSpace.
func CreateSysvQueue(key int32, mode uint32) (*SysvQueue, error) {
	return newSysvQueue(func(out **C.sbx_sysv_queue, result *C.sbxgo_result) C.int {
		return C.sbxgo_sysv_create(C.int32_t(key), modeOf(mode), 0, out, result)
	})
}

// OpenOrCreateSysvQueue opens it or creates it.
func OpenOrCreateSysvQueue(key int32, mode uint32) (*SysvQueue, error) {
	return newSysvQueue(func(out **C.sbx_sysv_queue, result *C.sbxgo_result) C.int {
		return C.sbxgo_sysv_create(C.int32_t(key), modeOf(mode), 1, out, result)
	})
}

// OpenSysvQueue opens one that exists. Error: ErrNotFound.
func OpenSysvQueue(key int32) (*SysvQueue, error) {
	return newSysvQueue(func(out **C.sbx_sysv_queue, result *C.sbxgo_result) C.int {
		return C.sbx_sysv_queue_open(C.int32_t(key), out, &result.error)
	})
}

// AttachSysvQueue is the queue of this id, for example a private one of one's parent. Error:
// ErrNotFound.
func AttachSysvQueue(id int) (*SysvQueue, error) {
	return newSysvQueue(func(out **C.sbx_sysv_queue, result *C.sbxgo_result) C.int {
		return C.sbx_sysv_queue_attach(C.int(clamped(id)), out, &result.error)
	})
}

// ID is valid in every process of the name space until the queue is removed.
func (q *SysvQueue) ID() int { return q.id }

// Send puts a message at the end and waits for room until the context ends. Errors: ErrTimedOut and
// ErrInterrupted when the context ends, ErrBadArgument (a type below 1), ErrTooLarge, ErrRemoved,
// ErrClosed. Whatever the error, nothing was queued.
func (q *SysvQueue) Send(ctx context.Context, messageType int64, message []byte) error {
	return q.use("send to", func(handle *C.sbx_sysv_queue) error {
		return sleepInKernel(ctx, func() string { return q.action("send to") },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				return C.sbxgo_sysv_send(handle, C.int64_t(messageType),
					(*C.uchar)(unsafe.SliceData(message)), C.uint64_t(len(message)), thread, result)
			})
	})
}

// TrySend is Send that never waits. False: there is no room.
func (q *SysvQueue) TrySend(messageType int64, message []byte) (bool, error) {
	sent := false
	err := q.use("send to", func(handle *C.sbx_sysv_queue) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_sysv_try_send(handle, C.int64_t(messageType),
				(*C.uchar)(unsafe.SliceData(message)), C.uint64_t(len(message)), result)
			sent = code == C.SBX_OK && result.done != 0
			return code
		})
	})
	return sent, err
}

// Receive takes the first message that the filter lets through into the buffer, and waits for one
// until the context ends. Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrTooLarge
// (longer than the buffer: it stays), ErrBadArgument (a filter for a type below 1), ErrRemoved,
// ErrClosed.
func (q *SysvQueue) Receive(ctx context.Context, buffer []byte,
	filter MessageFilter) (SysvMessage, error) {
	var found C.sbx_queue_message
	err := q.use("receive from", func(handle *C.sbx_sysv_queue) error {
		return sleepInKernel(ctx, func() string { return q.action("receive from") },
			func(thread *C.int32_t, result *C.sbxgo_result) C.int {
				return C.sbxgo_sysv_receive(handle, (*C.uchar)(unsafe.SliceData(buffer)),
					C.uint64_t(len(buffer)), C.uint32_t(filter.kind), C.int64_t(filter.of), thread,
					&found, result)
			})
	})
	if err != nil {
		return SysvMessage{}, err
	}
	return SysvMessage{int64(found._type), buffer[:found.bytes]}, nil
}

// TryReceive is Receive that never waits. False: there is none.
func (q *SysvQueue) TryReceive(buffer []byte, filter MessageFilter) (SysvMessage, bool, error) {
	var found C.sbx_queue_message
	received := false
	err := q.use("receive from", func(handle *C.sbx_sysv_queue) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_sysv_try_receive(handle, (*C.uchar)(unsafe.SliceData(buffer)),
				C.uint64_t(len(buffer)), C.uint32_t(filter.kind), C.int64_t(filter.of), &found,
				result)
			received = code == C.SBX_OK && result.done != 0
			return code
		})
	})
	if !received {
		return SysvMessage{}, false, err
	}
	return SysvMessage{int64(found._type), buffer[:found.bytes]}, true, nil
}

// SysvQueueFacts are what the kernel knows of a queue. Times are seconds since 1970; 0: never.
type SysvQueueFacts struct {
	Access                            SysvAccess
	Messages                          int // that wait
	Bytes, BytesMax                   int // in them, and how many may be
	LastSender, LastReceiver          int // pids; 0: nobody yet, or not visible from here
	LastSend, LastReceive, LastChange int64
}

// Facts are what the kernel knows of the queue. Error: ErrPermissionDenied.
func (q *SysvQueue) Facts() (SysvQueueFacts, error) {
	facts := C.sbx_sysv_queue_facts{struct_size: C.sizeof_sbx_sysv_queue_facts}
	err := q.use("look at", func(handle *C.sbx_sysv_queue) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_sysv_queue_look(handle, &facts, &result.error)
		})
	})
	if err != nil {
		return SysvQueueFacts{}, err
	}
	return SysvQueueFacts{
		Access:       accessOf(facts.access),
		Messages:     int(facts.messages),
		Bytes:        int(facts.bytes),
		BytesMax:     int(facts.bytes_max),
		LastSender:   int(facts.last_sender),
		LastReceiver: int(facts.last_receiver),
		LastSend:     int64(facts.last_send),
		LastReceive:  int64(facts.last_receive),
		LastChange:   int64(facts.last_change),
	}, nil
}

// SetCapacity says how many bytes may wait in it. Error: ErrLimitReached (above msgmnb, without the
// rights).
func (q *SysvQueue) SetCapacity(bytes uint64) error {
	return q.use("resize", func(handle *C.sbx_sysv_queue) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_sysv_queue_set_capacity(handle, C.uint64_t(bytes), &result.error)
		})
	})
}

// Remove removes the queue and its messages: whoever waits on it gets ErrRemoved.
func (q *SysvQueue) Remove() error {
	return q.use("remove", func(handle *C.sbx_sysv_queue) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_sysv_queue_remove(handle, &result.error)
		})
	})
}

// Close frees the handle once no call is inside any more, and leaves the queue as it is. It does
// not wait. Closing twice is fine; the error is always nil.
func (q *SysvQueue) Close() error {
	q.open.close()
	runtime.SetFinalizer(q, nil)
	return nil
}

func (q *SysvQueue) use(verb string, call func(handle *C.sbx_sysv_queue) error) error {
	return q.open.use(func() string { return q.action(verb) },
		func() error { return call(q.handle) })
}

func (q *SysvQueue) action(verb string) string {
	return fmt.Sprintf("%s System V queue %d", verb, q.id)
}
