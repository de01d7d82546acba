package signalbox

/*
#cgo nocallback sbxgo_posix_try_send
#cgo nocallback sbxgo_posix_try_receive
#include "native_objects.h"
*/
import "C"

import (
	"context"
	"runtime"
	"strconv"
	"unsafe"
)

// QueueAccess says what a handle of a [PosixQueue] is for.
type QueueAccess uint32

const (
	QueueBoth    QueueAccess = iota // to receive and to send
	QueueReceive                    // to receive only
	QueueSend                       // to send only
)

// PosixQueueOptions say how a queue is made. The zero value: the machine's usual size, mode 0600,
// both ways.
type PosixQueueOptions struct {
	MessagesMax     int    // how many messages wait at most
	MessageBytesMax int    // how long each may be
	Mode            uint32 // exactly this, whatever the umask
	Access          QueueAccess
}

// PosixQueue is a POSIX message queue: whole messages, the most urgent first, which others find by
// a name such as "/jobs".
//
// It lives until [UnlinkPosixQueue] and the last handle. Any number of goroutines may use it at a
// time, and nothing is bound to a thread. Waiting parks the goroutine in Go's poller: no OS thread
// is held, and a context or Close ends the wait. Those who wait on one handle for the same, to send
// or to receive, stand in line.
type PosixQueue struct {
	open      openHandle
	name      string
	handle    *C.sbx_posix_queue
	bytesMax  int
	door      *queueDoor
	receiving chan struct{} // holds one: who waits to receive
	sending   chan struct{} // holds one: who waits to send
}

func newPosixQueue(name string,
	create func(name *C.char, out **C.sbx_posix_queue, result *C.sbxgo_result) C.int,
) (*PosixQueue, error) {
	if bad := refuseZero(name); bad != nil {
		return nil, bad
	}
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	var handle *C.sbx_posix_queue
	err := try(func(result *C.sbxgo_result) C.int { return create(text, &handle, result) })
	if err != nil {
		return nil, err
	}
	queue := &PosixQueue{name: name, handle: handle,
		receiving: make(chan struct{}, 1), sending: make(chan struct{}, 1)}
	queue.open.free = func() { C.sbx_posix_queue_close(handle) }
	facts, err := queue.Facts()
	if err != nil {
		queue.open.close()
		return nil, err
	}
	queue.bytesMax = facts.MessageBytesMax
	door, bad := newQueueDoor(name, int(C.sbx_posix_queue_descriptor(handle)))
	if bad != nil {
		queue.open.close()
		return nil, bad
	}
	queue.door = door
	runtime.SetFinalizer(queue, (*PosixQueue).Close)
	return queue, nil
}

// CreatePosixQueue makes a new queue. Errors: ErrAlreadyExists, ErrBadName, ErrBadArgument (a limit
// of /proc/sys/fs/mqueue), ErrLimitReached (RLIMIT_MSGQUEUE or descriptors), ErrNoSpace,
// ErrPermissionDenied, ErrNotSupported.
func CreatePosixQueue(name string, o PosixQueueOptions) (*PosixQueue, error) {
	return newPosixQueue(name,
		func(text *C.char, out **C.sbx_posix_queue, result *C.sbxgo_result) C.int {
			return C.sbxgo_posix_create(text, C.int64_t(o.MessagesMax), C.int64_t(o.MessageBytesMax),
				modeOf(o.Mode), o.Access.native(), 0, out, result)
		})
}

// OpenOrCreatePosixQueue opens it, or creates it with these options. Who opens takes its size as it
// is.
func OpenOrCreatePosixQueue(name string, o PosixQueueOptions) (*PosixQueue, error) {
	return newPosixQueue(name,
		func(text *C.char, out **C.sbx_posix_queue, result *C.sbxgo_result) C.int {
			return C.sbxgo_posix_create(text, C.int64_t(o.MessagesMax), C.int64_t(o.MessageBytesMax),
				modeOf(o.Mode), o.Access.native(), 1, out, result)
		})
}

// OpenPosixQueue opens one that exists. Error besides: ErrNotFound.
func OpenPosixQueue(name string, access QueueAccess) (*PosixQueue, error) {
	return newPosixQueue(name,
		func(text *C.char, out **C.sbx_posix_queue, result *C.sbxgo_result) C.int {
			return C.sbx_posix_queue_open(text, access.native(), out, &result.error)
		})
}

// UnlinkPosixQueue removes the name at once; those who have it open go on with the same queue.
func UnlinkPosixQueue(name string) error {
	if bad := refuseZero(name); bad != nil {
		return bad
	}
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return try(func(result *C.sbxgo_result) C.int {
		return C.sbx_posix_queue_unlink(text, &result.error)
	})
}

// Send puts a message behind those that are as urgent or more, and waits for room until the context
// ends; higher is sooner. Whatever the error, nothing was queued.
//
// Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrTooLarge, ErrBadArgument (a
// priority above 32767), ErrPermissionDenied (opened to receive), ErrClosed.
func (q *PosixQueue) Send(ctx context.Context, message []byte, priority uint32) error {
	return waitInLine(ctx, func() string { return q.action("send to") }, q.sending,
		q.door.sleepUntilWritable, func() (bool, error) { return q.TrySend(message, priority) })
}

// TrySend is Send that never waits. False: there is no room.
func (q *PosixQueue) TrySend(message []byte, priority uint32) (bool, error) {
	sent := false
	err := q.use("send to", func(handle *C.sbx_posix_queue) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_posix_try_send(handle, (*C.uchar)(unsafe.SliceData(message)),
				C.uint64_t(len(message)), C.uint32_t(priority), result)
			sent = code == C.SBX_OK && result.done != 0
			return code
		})
	})
	return sent, err
}

// PriorityMessage is a message of a [PosixQueue].
type PriorityMessage struct {
	Data     []byte
	Priority uint32
}

// Receive takes the oldest of the most urgent messages and waits for one until the context ends.
// Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrPermissionDenied (opened to
// send), ErrClosed.
func (q *PosixQueue) Receive(ctx context.Context) (PriorityMessage, error) {
	var message PriorityMessage
	err := waitInLine(ctx, func() string { return q.action("receive from") }, q.receiving,
		q.door.sleepUntilReadable, func() (received bool, err error) {
			message, received, err = q.TryReceive()
			return received, err
		})
	return message, err
}

// TryReceive is Receive that never waits. False: there is none.
func (q *PosixQueue) TryReceive() (PriorityMessage, bool, error) {
	buffer := make([]byte, q.bytesMax)
	var found C.sbx_priority_message
	received := false
	err := q.use("receive from", func(handle *C.sbx_posix_queue) error {
		return try(func(result *C.sbxgo_result) C.int {
			code := C.sbxgo_posix_try_receive(handle, (*C.uchar)(unsafe.SliceData(buffer)),
				C.uint64_t(len(buffer)), &found, result)
			received = code == C.SBX_OK && result.done != 0
			return code
		})
	})
	if !received {
		return PriorityMessage{}, false, err
	}
	return PriorityMessage{buffer[:found.bytes], uint32(found.priority)}, true, nil
}

// PosixQueueFacts say how large a queue is, and how many messages wait in it.
type PosixQueueFacts struct {
	MessagesMax     int
	MessageBytesMax int
	Messages        int
}

// Facts say how large the queue is, and how many messages wait in it.
func (q *PosixQueue) Facts() (PosixQueueFacts, error) {
	facts := C.sbx_posix_queue_facts{struct_size: C.sizeof_sbx_posix_queue_facts}
	err := q.use("look at", func(handle *C.sbx_posix_queue) error {
		return try(func(result *C.sbxgo_result) C.int {
			return C.sbx_posix_queue_look(handle, &facts, &result.error)
		})
	})
	return PosixQueueFacts{int(facts.messages_max), int(facts.message_bytes_max),
		int(facts.messages)}, err
}

// Close frees the handle and ends waits in other goroutines. Closing twice is fine; the error is
// always nil.
func (q *PosixQueue) Close() error {
	q.open.close()
	q.door.close()
	runtime.SetFinalizer(q, nil)
	return nil
}

func (q *PosixQueue) use(verb string, call func(handle *C.sbx_posix_queue) error) error {
	return q.open.use(func() string { return q.action(verb) },
		func() error { return call(q.handle) })
}

func (q *PosixQueue) action(verb string) string {
	return verb + " POSIX queue " + strconv.Quote(q.name)
}

func (a QueueAccess) native() C.uint32_t {
	switch a {
	case QueueBoth:
		return C.SBX_QUEUE_BOTH
	case QueueReceive:
		return C.SBX_QUEUE_RECEIVE
	case QueueSend:
		return C.SBX_QUEUE_SEND
	}
	return C.uint32_t(a) // no access at all, which is refused
}
