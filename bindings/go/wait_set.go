package signalbox

/*
#include "native_locks.h"
*/
import "C"

import (
	"context"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Events is what a source of a [WaitSet] is asked for, and what it answers: a set of bits.
type Events uint32

const (
	Readable       Events = 1 // a Take, TryLock, TryAcquire, read or accept would find something
	Writable       Events = 2 // a write would be accepted; descriptors only
	HungUp         Events = 4 // the other end is gone; told without being asked
	DeadlineMissed Events = 8 // quiet for a whole period
)

// Ready is a source that is ready, by the key it was given.
type Ready struct {
	Key    uint64
	Events Events
}

// WaitSet is one sleep for many sources: subscribers, mutexes, semaphores and descriptors. Between
// goroutines and channels it is seldom what one wants: a goroutine with Receive for each subscriber
// is simpler and parks in Go's poller. A set is for a loop that handles many topics in one
// goroutine, or that waits for many locks, each of which would hold a thread of its own.
//
// One goroutine at a time is in Wait, which holds one OS thread while it sleeps, though no place in
// Go's scheduler; the others of its methods wait for that. The subscribers that a set watches must
// not be used during a Wait, but by the goroutine that waits, before and after; mutexes and
// semaphores may. A source that is closed is silent, and a set keeps none from the garbage
// collector, which closes what nobody else knows.
type WaitSet struct {
	mu        sync.Mutex // held in every call but Wake
	wakers    sync.RWMutex
	handle    *C.sbx_wait_set // nil once closed; changed with both held
	isClosing atomic.Bool
	// By the native handle: a *Watch leads back here, and Go runs no finalizer in a cycle.
	watches map[*C.sbx_watch]struct{}
}

// Watch is one source that a set reports until End, or until the set is closed.
type Watch struct {
	set    *WaitSet
	handle *C.sbx_watch // nil once ended
}

// NewWaitSet makes an empty set with room for so many watches, at most 65536.
// Errors: ErrBadArgument, ErrLimitReached (descriptors).
func NewWaitSet(watchesMax int) (*WaitSet, error) {
	const watchesLimit = 65536
	if err := outOfRange("watchesMax", watchesMax, 1, watchesLimit); err != nil {
		return nil, err
	}
	var handle *C.sbx_wait_set
	err := try(func(result *C.sbxgo_result) C.int {
		return C.sbx_wait_set_create(C.uint32_t(watchesMax), &handle, &result.error)
	})
	if err != nil {
		return nil, err
	}
	set := &WaitSet{handle: handle, watches: map[*C.sbx_watch]struct{}{}}
	runtime.SetFinalizer(set, (*WaitSet).Close)
	return set, nil
}

// Watchable is a [Subscriber] of any type, a [Mutex] or a [Semaphore].
type Watchable interface {
	// watchedBy begins a watch; the set's mutex is held.
	watchedBy(set *WaitSet, key uint64, period time.Duration) (*Watch, error)
}

// Watch reports the source under this key: a Subscriber while it has a message, a Mutex or
// Semaphore while TryLock or TryAcquire would succeed. With a period above 0 it also reports the
// end of each in which the source stayed quiet, or the lock was never found free. A lock takes two
// descriptors. Errors: ErrAlreadyExists (a set watches the subscriber already), ErrLimitReached,
// ErrBadArgument (a period below a microsecond), ErrClosed.
func (s *WaitSet) Watch(source Watchable, key uint64, period time.Duration) (*Watch, error) {
	// Before the source's own: a Wait holds the set for as long as it lasts, and the source's other
	// calls are not to stand behind that.
	s.mu.Lock()
	defer s.mu.Unlock()
	if source == nil {
		return nil, badArgument("cannot watch nil: a source is a Subscriber, Mutex or Semaphore")
	}
	return source.watchedBy(s, key, period)
}

func (s *Subscriber[T]) watchedBy(set *WaitSet, key uint64, period time.Duration) (*Watch, error) {
	core := s.core
	core.enter()
	defer core.mu.Unlock()
	if core.isClosing {
		return nil, closedError("watch", core.topic)
	}
	return set.watch(func(out **C.sbx_watch, result *C.sbxgo_result) C.int {
		return C.sbx_wait_set_watch_subscriber(set.handle, core.handle, C.uint64_t(key),
			C.int64_t(period), out, &result.error)
	})
}

func (m *Mutex) watchedBy(set *WaitSet, key uint64, period time.Duration) (begun *Watch,
	err error) {
	err = m.use("watch", func(handle *C.sbx_mutex) error {
		begun, err = set.watch(func(out **C.sbx_watch, result *C.sbxgo_result) C.int {
			return C.sbx_wait_set_watch_mutex(set.handle, handle, C.uint64_t(key),
				C.int64_t(period), out, &result.error)
		})
		return err
	})
	return begun, err
}

func (s *Semaphore) watchedBy(set *WaitSet, key uint64, period time.Duration) (begun *Watch,
	err error) {
	err = s.use("watch", func(handle *C.sbx_semaphore) error {
		begun, err = set.watch(func(out **C.sbx_watch, result *C.sbxgo_result) C.int {
			return C.sbx_wait_set_watch_semaphore(set.handle, handle, C.uint64_t(key),
				C.int64_t(period), out, &result.error)
		})
		return err
	})
	return begun, err
}

// WatchDescriptor reports a descriptor, which stays yours: close it after the watch has ended. With
// a period the events have to be Readable. Error besides: ErrNotSupported (a regular file, say).
func (s *WaitSet) WatchDescriptor(fd uintptr, events Events, key uint64,
	period time.Duration) (*Watch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watch(func(out **C.sbx_watch, result *C.sbxgo_result) C.int {
		return C.sbx_wait_set_watch_descriptor(s.handle, C.int(fd), C.uint32_t(events),
			C.uint64_t(key), C.int64_t(period), out, &result.error)
	})
}

// watch needs the mutex.
func (s *WaitSet) watch(begin func(out **C.sbx_watch, result *C.sbxgo_result) C.int,
) (*Watch, error) {
	if s.isClosing.Load() {
		return nil, closedObject("watch with a wait set")
	}
	var handle *C.sbx_watch
	err := try(func(result *C.sbxgo_result) C.int { return begin(&handle, result) })
	if err != nil {
		return nil, err
	}
	s.watches[handle] = struct{}{}
	return &Watch{set: s, handle: handle}, nil
}

// End stops watching. Ending twice is fine.
func (w *Watch) End() {
	w.set.mu.Lock()
	defer w.set.mu.Unlock()
	w.set.end(w.handle)
	w.handle = nil // a later watch may get the same place
}

// end needs the mutex. The watch may have ended already, for example with the set.
func (s *WaitSet) end(handle *C.sbx_watch) {
	if _, isWatched := s.watches[handle]; isWatched {
		delete(s.watches, handle)
		C.sbx_watch_end(handle)
	}
}

// Wait sleeps until a source is ready, or the context ends; answers all that are, each once, in an
// order that changes. Empty: Wake was called, or the context of an earlier Wait ended just as that
// answered, and its wake-up came too late. A source is reported by every Wait until it is drained.
// Errors: ErrTimedOut and ErrInterrupted when the context ends, ErrLimitReached, ErrClosed.
//
//	for {
//		ready, err := set.Wait(ctx)
//		if err != nil {
//			return err
//		}
//		for _, one := range ready {
//			handle(one.Key)
//		}
//	}
func (s *WaitSet) Wait(ctx context.Context) ([]Ready, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosing.Load() {
		return nil, closedObject("wait with a wait set")
	}
	if ctx.Err() != nil {
		return nil, contextErrorOf("wait with a wait set", ctx)
	}
	woken := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		s.Wake()
		close(woken)
	})
	var ready *C.sbx_ready
	var count C.size_t
	err := try(func(result *C.sbxgo_result) C.int {
		return C.sbx_wait_set_wait(s.handle, &ready, &count, C.SBX_NEVER, &result.error)
	})
	if !cancel() {
		<-woken
	}
	if err != nil {
		return nil, err
	}
	if count == 0 && ctx.Err() != nil {
		return nil, contextErrorOf("wait with a wait set", ctx)
	}
	answer := make([]Ready, count)
	for i, one := range unsafe.Slice(ready, int(count)) {
		answer[i] = Ready{uint64(one.key), Events(one.events)}
	}
	return answer, nil
}

// All is Wait in a loop: each ready source in turn. The loop ends after the first error, which it
// hands to the body.
func (s *WaitSet) All(ctx context.Context) iter.Seq2[Ready, error] {
	return func(yield func(Ready, error) bool) {
		for {
			ready, err := s.Wait(ctx)
			if err != nil {
				yield(Ready{}, err)
				return
			}
			for _, one := range ready {
				if !yield(one, nil) {
					return
				}
			}
		}
	}
}

// Wake makes the Wait that sleeps, or else the next one, answer nothing at once. From any
// goroutine.
func (s *WaitSet) Wake() {
	s.wakers.RLock()
	defer s.wakers.RUnlock()
	C.sbx_wait_set_wake(s.handle)
}

// Close ends all watches and frees the set, and before that a Wait in another goroutine. Closing
// twice is fine; the error is always nil.
func (s *WaitSet) Close() error {
	// Whoever is in Wait and has not seen this is woken, for the set keeps a wake-up for him.
	s.isClosing.Store(true)
	s.Wake()
	s.mu.Lock()
	defer s.mu.Unlock()
	for watch := range s.watches {
		s.end(watch)
	}
	s.wakers.Lock()
	defer s.wakers.Unlock()
	C.sbx_wait_set_close(s.handle)
	s.handle = nil
	runtime.SetFinalizer(s, nil)
	return nil
}
