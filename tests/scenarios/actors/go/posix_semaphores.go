package main

import (
	"syscall"

	"signalbox.dev/go/signalbox"
)

// Named POSIX semaphores by signalbox.NamedSemaphore.
var posixSemaphoreOperations = map[string]operation{
	"sem_create": func(said words) string {
		made, err := signalbox.CreateNamedSemaphore(said[1], uint32(said.number(2)), said.mode(3))
		return keep(semaphores, said[0], made, err)
	},
	"sem_open_or_create": func(said words) string {
		made, err := signalbox.OpenOrCreateNamedSemaphore(said[1], uint32(said.number(2)), 0)
		return keep(semaphores, said[0], made, err)
	},
	"sem_open": func(said words) string {
		made, err := signalbox.OpenNamedSemaphore(said[1])
		return keep(semaphores, said[0], made, err)
	},
	"sem_unnamed": notInLanguage("unnamed semaphores are for C++ alone"),
	"sem_wait": func(said words) string {
		return told(semaphores[said[0]].Wait(whileUndisturbed()))
	},
	"sem_timed": func(said words) string {
		ctx, cancel := said.until(1)
		defer cancel()
		return told(semaphores[said[0]].Wait(ctx))
	},
	"sem_try": func(said words) string {
		taken, err := semaphores[said[0]].TryWait()
		return toldIfDone(taken, err, syscall.EAGAIN)
	},
	"sem_post":  func(said words) string { return told(semaphores[said[0]].Post()) },
	"sem_value": func(said words) string { return toldValue(semaphores[said[0]].Value()) },
	"sem_close": func(said words) string { return told(semaphores[said[0]].Close()) },
	"sem_unlink": func(said words) string {
		return told(signalbox.UnlinkNamedSemaphore(said[0]))
	},
}

var semaphores = map[string]*signalbox.NamedSemaphore{}
