package main

import (
	"fmt"
	"syscall"

	"signalbox.dev/go/signalbox"
)

// System V message queues by signalbox.SysvQueue.
var sysvQueueOperations = map[string]operation{
	"queue_create": func(said words) string {
		made, err := signalbox.CreateSysvQueue(said.key(1), 0)
		return keep(sysvQueues, said[0], made, err)
	},
	"queue_open": func(said words) string {
		made, err := signalbox.OpenSysvQueue(said.key(1))
		return keep(sysvQueues, said[0], made, err)
	},
	"queue_send": func(said words) string {
		return told(sysvQueues[said[0]].Send(whileUndisturbed(), int64(said.number(1)),
			said.payload(2)))
	},
	"queue_try_send": func(said words) string {
		sent, err := sysvQueues[said[0]].TrySend(int64(said.number(1)), said.payload(2))
		return toldIfDone(sent, err, syscall.EAGAIN)
	},
	"queue_receive":     receiveSysv,
	"queue_try_receive": tryReceiveSysv,
	"queue_peek":        notInLanguage("Go takes messages, and does not look at them before"),
	"queue_status": func(said words) string {
		facts, err := sysvQueues[said[0]].Facts()
		return toldValue(fmt.Sprint(facts.Messages, facts.Bytes, facts.LastSender,
			facts.LastReceiver), err)
	},
	"queue_limit": func(said words) string {
		return told(sysvQueues[said[0]].SetCapacity(uint64(said.number(1))))
	},
	"queue_remove": func(said words) string { return told(sysvQueues[said[0]].Remove()) },
}

var sysvQueues = map[string]*signalbox.SysvQueue{}

// filterOf reads any, =TYPE, <=TYPE or !=TYPE.
func filterOf(word string) signalbox.MessageFilter {
	switch word[0] {
	case '=':
		return signalbox.OnlyType(int64(words{word[1:]}.number(0)))
	case '<':
		return signalbox.UpToType(int64(words{word[2:]}.number(0)))
	case '!':
		return signalbox.AllButType(int64(words{word[2:]}.number(0)))
	}
	return signalbox.AnyMessage()
}

func receiveSysv(said words) string {
	if len(said) > 3 {
		return notInLanguage("Go refuses what is longer than the buffer, and cuts nothing off")(said)
	}
	message, err := sysvQueues[said[0]].Receive(whileUndisturbed(), make([]byte, said.number(2)),
		filterOf(said[1]))
	return toldMessage(message, err)
}

func tryReceiveSysv(said words) string {
	message, found, err := sysvQueues[said[0]].TryReceive(make([]byte, said.number(2)),
		filterOf(said[1]))
	if err == nil && !found {
		return errnoName(syscall.ENOMSG)
	}
	return toldMessage(message, err)
}

func toldMessage(message signalbox.SysvMessage, err error) string {
	return toldValue(fmt.Sprint(message.Type, " ", wordOf(message.Data)), err)
}
