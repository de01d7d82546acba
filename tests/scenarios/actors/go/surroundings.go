package main

import (
	"context"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
)

// What happens around the objects that are judged: surroundings.cpp.
var surroundings = map[string]operation{
	"fork":               startChild,
	"handle":             handle,
	"handled":            handledCount,
	"become":             become,
	"umask":              umask,
	"new_ipc_name_space": newIPCNameSpace,
}

var signalNumbers = map[string]os.Signal{"USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2}

// handler counts what comes. A signal that is to end a wait does so in Go's way: it cancels the
// context that the wait goes by.
type handler struct {
	number   os.Signal
	comes    chan os.Signal
	mu       sync.Mutex
	count    int
	goesOn   bool // the wait does, when a signal has come
	undo     context.CancelFunc
	undoable context.Context
}

var handled = map[string]*handler{}

// whileUndisturbed is what a wait goes by: it ends when a signal comes that is to end waits. Who
// handles none waits for ever.
func whileUndisturbed() context.Context {
	for _, h := range handled {
		if !h.goesOn {
			return h.next()
		}
	}
	return context.Background()
}

func (h *handler) next() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.undoable == nil || h.undoable.Err() != nil {
		h.undoable, h.undo = context.WithCancel(context.Background())
	}
	return h.undoable
}

func (h *handler) run() {
	for came := range h.comes {
		if reached, isMark := came.(mark); isMark {
			close(reached)
			continue
		}
		h.mu.Lock()
		h.count++
		if h.undo != nil {
			h.undo()
		}
		h.mu.Unlock()
	}
}

// mark goes the way of signals, behind those that came before.
type mark chan struct{}

func (mark) Signal()        {}
func (mark) String() string { return "mark" }

// handle NAME [restart]: a signal ends the wait, or the wait goes on.
func handle(said words) string {
	h := &handler{number: signalNumbers[said[0]], comes: make(chan os.Signal, 16),
		goesOn: len(said) > 1}
	handled[said[0]] = h
	signal.Notify(h.comes, h.number)
	go h.run()
	return ok()
}

// handledCount counts all that came so far: Stop returns when they are in the channel, and the
// mark behind them has come through when they are counted.
func handledCount(said words) string {
	h := handled[said[0]]
	signal.Stop(h.comes)
	reached := make(mark)
	h.comes <- reached
	<-reached
	signal.Notify(h.comes, h.number)
	h.mu.Lock()
	defer h.mu.Unlock()
	return ok(h.count)
}

func become(said words) string {
	user := said.number(0)
	return toldErrno(syscall.Setresuid(user, user, user))
}

func umask(said words) string {
	mask, err := strconv.ParseInt(said[0], 8, 32)
	if err != nil {
		panic(err)
	}
	syscall.Umask(int(mask))
	return ok()
}

func newIPCNameSpace(words) string { return toldErrno(syscall.Unshare(syscall.CLONE_NEWIPC)) }

func toldErrno(err error) string {
	if errno, failed := err.(syscall.Errno); failed {
		return errnoName(errno)
	}
	return ok()
}
