package signalbox

/*
#cgo nocallback sbxgo_sleep_and_take
#cgo noescape sbxgo_sleep_and_take
#include "native.h"
*/
import "C"

import "context"

// With SubscriberOptions.HoldThread a Receive sleeps in C, on the topic's own bell, where the
// publisher's wake-up reaches its thread without Go's poller in between. It sleeps with the mutex,
// for it reads what the other calls change; whoever comes meanwhile ends the sleep by a signal to
// the thread, and goes first.

// enter is mu.Lock that ends another goroutine's sleep in C.
func (s *subscriberCore) enter() {
	if !s.holdThread {
		s.mu.Lock()
		return
	}
	if s.mu.TryLock() {
		return
	}
	// The sleeper does not sleep again while somebody is here.
	s.visitors.Lock()
	defer s.visitors.Unlock()
	entered := make(chan struct{})
	defer close(entered)
	go kickUntil(entered, &s.asleep)
	s.mu.Lock()
}

// sleepAndTake sleeps until there is a message, or the context ends.
func (s *subscriberCore) sleepAndTake(ctx context.Context, cell *sampleCell) error {
	defer kickWhenDone(ctx, &s.asleep)()
	for {
		taken, err := s.sleepOnce(cell)
		if taken || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return contextError("receive from", s.topic, ctx)
		}
	}
}

// sleepOnce answers false also when the sleep was ended by a signal.
func (s *subscriberCore) sleepOnce(cell *sampleCell) (bool, error) {
	s.visitors.Lock()
	s.mu.Lock()
	s.visitors.Unlock()
	defer s.mu.Unlock()
	if s.isClosing {
		return false, closedError("receive from", s.topic)
	}
	outcome := C.sbxgo_sleep_and_take(s.handle, &s.asleep, cell.c, &s.answer.c.error)
	if outcome < 0 {
		return false, s.answer.failure(-outcome)
	}
	return outcome != 0, nil
}
