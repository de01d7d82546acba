package main

import (
	"context"
	"fmt"
	"syscall"

	"signalbox.dev/go/signalbox"
)

// POSIX message queues by signalbox.PosixQueue.
var posixQueueOperations = map[string]operation{
	"mq_create": func(said words) string {
		made, err := signalbox.CreatePosixQueue(said[1], signalbox.PosixQueueOptions{
			MessagesMax: said.size(2), MessageBytesMax: said.size(3), Mode: said.mode(4)})
		return keep(posixQueues, said[0], made, err)
	},
	"mq_open":   openPosixQueue,
	"mq_close":  func(said words) string { return told(posixQueues[said[0]].Close()) },
	"mq_unlink": func(said words) string { return told(signalbox.UnlinkPosixQueue(said[0])) },
	"mq_send": func(said words) string {
		return told(posixQueues[said[0]].Send(whileUndisturbed(), said.payload(2),
			uint32(said.number(1))))
	},
	"mq_timed_send": func(said words) string {
		ctx, cancel := said.until(1)
		defer cancel()
		return told(posixQueues[said[0]].Send(ctx, said.payload(3), uint32(said.number(2))))
	},
	"mq_try_send": func(said words) string {
		sent, err := posixQueues[said[0]].TrySend(said.payload(2), uint32(said.number(1)))
		return toldIfDone(sent, err, syscall.EAGAIN)
	},
	"mq_receive": func(said words) string { return receivePosix(said, whileUndisturbed()) },
	"mq_timed_receive": func(said words) string {
		ctx, cancel := said.until(1)
		defer cancel()
		return receivePosix(said, ctx)
	},
	"mq_try_receive": func(said words) string {
		message, found, err := posixQueues[said[0]].TryReceive()
		if err == nil && !found {
			return errnoName(syscall.EAGAIN)
		}
		return toldUrgent(message, err)
	},
	"mq_attributes": func(said words) string {
		facts, err := posixQueues[said[0]].Facts()
		return toldValue(fmt.Sprint(facts.MessagesMax, facts.MessageBytesMax, facts.Messages), err)
	},
	"mq_notify":       noNotices,
	"mq_stop_notices": noNotices,
	"mq_notice":       noNotices,
}

var posixQueues = map[string]*signalbox.PosixQueue{}

var noNotices = notInLanguage("Go waits for queues in its poller, and asks for no notice")

// A size of 0 means the machine's usual one to us and nonsense to the kernel: -1 is nonsense to
// both.
func (w words) size(index int) int {
	if size := w.number(index); size != 0 {
		return size
	}
	return -1
}

func openPosixQueue(said words) string {
	access := signalbox.QueueBoth
	if len(said) > 2 {
		access = map[string]signalbox.QueueAccess{"r": signalbox.QueueReceive,
			"w": signalbox.QueueSend}[said[2]]
	}
	made, err := signalbox.OpenPosixQueue(said[1], access)
	return keep(posixQueues, said[0], made, err)
}

func receivePosix(said words, ctx context.Context) string {
	message, err := posixQueues[said[0]].Receive(ctx)
	return toldUrgent(message, err)
}

func toldUrgent(message signalbox.PriorityMessage, err error) string {
	return toldValue(fmt.Sprint(message.Priority, " ", wordOf(message.Data)), err)
}
