package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"signalbox.dev/go/signalbox"
)

// System V semaphore sets by signalbox.SemaphoreSet.
var semaphoreSetOperations = map[string]operation{
	"set_create": func(said words) string {
		made, err := signalbox.CreateSemaphoreSet(said.key(1), make([]uint16, said.number(2)),
			said.mode(3))
		return keep(sets, said[0], made, err)
	},
	"set_open": openSet,
	"set_apply": func(said words) string {
		return told(sets[said[0]].Apply(whileUndisturbed(), stepsOf(said[1:])...))
	},
	"set_timed": func(said words) string {
		ctx, cancel := said.until(1)
		defer cancel()
		return toldOfSet(sets[said[0]].Apply(ctx, stepsOf(said[2:])...))
	},
	"set_try": func(said words) string {
		done, err := sets[said[0]].TryApply(stepsOf(said[1:])...)
		return toldIfDone(done, err, syscall.EAGAIN)
	},
	"set_put": func(said words) string {
		return told(sets[said[0]].SetValue(said.index(), said.number(2)))
	},
	"set_put_all": func(said words) string {
		values := make([]uint16, 0, len(said))
		for i := 1; i < len(said); i++ {
			values = append(values, uint16(said.number(i)))
		}
		return told(sets[said[0]].SetValues(values))
	},
	"set_all": func(said words) string {
		values, err := sets[said[0]].Values()
		return toldValue(strings.Trim(fmt.Sprint(values), "[]"), err)
	},
	"set_at": func(said words) string { return toldValue(sets[said[0]].Value(said.index())) },
	"set_last_pid": func(said words) string {
		users, err := sets[said[0]].Users(said.index())
		return toldValue(users.LastPID, err)
	},
	"set_waiters": func(said words) string {
		users, err := sets[said[0]].Users(said.index())
		return toldValue(fmt.Sprint(users.WaitingToTake, users.WaitingForZero), err)
	},
	"set_status": func(said words) string {
		facts, err := sets[said[0]].Facts()
		return toldValue(fmt.Sprintf("%d %03o", facts.Count, facts.Access.Mode), err)
	},
	"set_remove": func(said words) string { return told(sets[said[0]].Remove()) },
}

var sets = map[string]*signalbox.SemaphoreSet{}

func (w words) index() uint16 { return uint16(w.number(1)) }

// Who may not read a set cannot learn either whether it is ready: it opens it as it is.
func openSet(said words) string {
	if len(said) == 2 {
		made, err := signalbox.OpenSemaphoreSetAsIs(said.key(1))
		return keep(sets, said[0], made, err)
	}
	made, err := signalbox.OpenSemaphoreSet(said.key(1), said.number(2), 10*time.Second)
	return keep(sets, said[0], made, err)
}

// stepsOf reads "0:-1~", which takes one of semaphore 0, with undo; "x501" repeats the last up to
// so many.
func stepsOf(said []string) []signalbox.SemOp {
	var steps []signalbox.SemOp
	for _, word := range said {
		if word[0] == 'x' {
			wanted := words{word[1:]}.number(0)
			steps = append(steps, slices.Repeat(steps[len(steps)-1:], wanted-len(steps))...)
			continue
		}
		index, delta, _ := strings.Cut(strings.TrimSuffix(word, "~"), ":")
		steps = append(steps, signalbox.SemOp{Index: uint16(words{index}.number(0)),
			Delta: int16(words{delta}.number(0)), Undo: strings.HasSuffix(word, "~")})
	}
	return steps
}

// Of all calls that take a deadline the kernel's semtimedop() alone says EAGAIN when it passes.
func toldOfSet(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return errnoName(syscall.EAGAIN)
	}
	return told(err)
}
