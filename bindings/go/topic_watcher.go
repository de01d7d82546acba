package signalbox

/*
#cgo nocallback sbxgo_watcher_open
#cgo nocallback sbxgo_watcher_take
#cgo nocallback sbx_topic_watcher_close
#include "native_discovery.h"
*/
import "C"

import (
	"context"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
)

// TopicEventKind is what a [TopicWatcher] has to tell.
type TopicEventKind uint32

const (
	TopicAppeared TopicEventKind = iota
	TopicVanished
	PublisherJoined
	PublisherLeft // closed; what it published may still be there to be taken
	PublisherDied // ended without closing
	SubscriberJoined
	SubscriberLeft
	SubscriberDied
)

// String is the kind's name in every language of Signalbox, for example "publisher_joined".
func (k TopicEventKind) String() string {
	return C.GoString(C.sbx_topic_event_kind_name(C.uint32_t(k)))
}

// TopicEvent is what changed. PID and Incarnation are 0 for topics.
type TopicEvent struct {
	Kind        TopicEventKind
	Topic       string
	PID         int
	Incarnation uint64
}

// TopicWatcherOptions say what is watched. The zero value: all topics of the default domain.
type TopicWatcherOptions struct {
	// Topic is the one to watch, which need not exist yet; empty: all, present and future. Of topics
	// that may not be read only appearing and vanishing is told.
	Topic string
	// Domain is the set of topics; empty: $SIGNALBOX_DOMAIN, else "default". It need not exist yet.
	Domain string
}

// TopicWatcher tells who comes and goes, without polling and without a daemon. It begins with who
// is there, so nothing can be missed between the two. Each participant that lives at one look is
// told joined once and left or died once, also when others have removed its files by then; one that
// came and went between two looks may be missed. A look happens when it is opened, and in each Take
// and Receive that finds a change and has nothing left to tell. Memory of the dead is only free
// once a look has found them: a program that has a watcher takes from it.
//
// One goroutine uses it at a time; Close may come from others, also during a Receive. It has five
// descriptors and one for each participant it knows, and counts against the limits of inotify. A
// watcher that is forgotten is closed by the garbage collector.
type TopicWatcher struct {
	object    string      // "topic watcher", or that of one topic, for messages
	receiving atomic.Bool // a goroutine is in Receive
	doorway   *doorway
	mu        sync.Mutex           // held only inside C, never while a goroutine is parked
	handle    *C.sbx_topic_watcher // nil once closed
	isClosing bool
}

// OpenTopicWatcher begins to watch. Errors: those of [ListTopics].
func OpenTopicWatcher(o TopicWatcherOptions) (*TopicWatcher, error) {
	watcher := &TopicWatcher{object: "topic watcher"}
	if o.Topic != "" {
		watcher.object += " of " + topicObject(o.Topic)
	}
	err := tryNamed(o.Topic, o.Domain, func(topic, domain *C.char, result *C.sbxgo_result) C.int {
		return C.sbxgo_watcher_open(topic, domain, &watcher.handle, result)
	})
	if err != nil {
		return nil, err
	}
	door, bad := newDoorway(watcher.object, int(C.sbx_topic_watcher_descriptor(watcher.handle)))
	if bad != nil {
		C.sbx_topic_watcher_close(watcher.handle)
		return nil, bad
	}
	watcher.doorway = door
	runtime.SetFinalizer(watcher, (*TopicWatcher).Close)
	return watcher, nil
}

// Take answers the next event, or false and no error if there is nothing new. It enters the kernel,
// and never waits.
//
// Errors: ErrLimitReached (descriptors: what could not be looked at is told by a later call),
// ErrPermissionDenied, ErrClosed, ErrSystem.
func (w *TopicWatcher) Take() (TopicEvent, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isClosing {
		return TopicEvent{}, false, closedObject("take from the " + w.object)
	}
	var event C.sbx_topic_event
	isTaken := false
	err := try(func(result *C.sbxgo_result) C.int {
		code := C.sbxgo_watcher_take(w.handle, &event, result)
		isTaken = code == C.SBX_OK && result.done != 0
		return code
	})
	if !isTaken {
		return TopicEvent{}, false, err
	}
	return TopicEvent{
		Kind:        TopicEventKind(event.kind),
		Topic:       C.GoString(event.topic), // which is the watcher's until its next take
		PID:         int(event.pid),
		Incarnation: uint64(event.incarnation),
	}, true, nil
}

// Receive answers the next event and waits for it, parked in Go's poller, until the context ends. A
// context that has ended comes before an event that is there, so that a loop over Receive always
// stops.
//
// Errors: those of Take; ErrClosed also when Close comes during the wait; ErrTimedOut and
// ErrInterrupted when the context ends, which wrap the context's own error.
func (w *TopicWatcher) Receive(ctx context.Context) (TopicEvent, error) {
	if !w.receiving.CompareAndSwap(false, true) {
		return TopicEvent{}, badArgument("cannot receive from the " + w.object +
			": another goroutine is in Receive on it. Open a watcher for each goroutine")
	}
	defer w.receiving.Store(false)
	var event TopicEvent
	err := w.doorway.wait(ctx, func() (isTaken bool, err error) {
		event, isTaken, err = w.Take()
		return isTaken, err
	})
	return event, err
}

// All is Receive in a loop: each event in turn. The loop ends after the first error, which it hands
// to the body.
//
//	for event, err := range watcher.All(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(event.Kind, event.Topic)
//	}
func (w *TopicWatcher) All(ctx context.Context) iter.Seq2[TopicEvent, error] {
	return func(yield func(TopicEvent, error) bool) {
		for {
			event, err := w.Receive(ctx)
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// Fd is for [WaitSet.WatchDescriptor] and pollers of your own: readable when an event may be there;
// Take until nothing is left. After a change it is readable four times more in half a minute, to be
// sure. It never changes and belongs to the watcher, which has to live meanwhile: end the watch
// before Close, do not read or close it. ^uintptr(0) after Close.
func (w *TopicWatcher) Fd() uintptr {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isClosing {
		return ^uintptr(0)
	}
	return uintptr(C.sbx_topic_watcher_descriptor(w.handle))
}

// Close stops watching, and ends a Receive that waits in another goroutine. Closing twice is fine;
// the error is always nil.
func (w *TopicWatcher) Close() error {
	w.mu.Lock()
	if w.isClosing {
		w.mu.Unlock()
		return nil
	}
	w.isClosing = true
	w.mu.Unlock()

	// Outside the mutex: it wakes a parked Receive, whose last look needs the mutex, and returns when
	// that has left.
	w.doorway.close()

	w.mu.Lock()
	defer w.mu.Unlock()
	C.sbx_topic_watcher_close(w.handle)
	w.handle = nil
	runtime.SetFinalizer(w, nil)
	return nil
}
