package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"syscall"

	"signalbox.dev/go/signalbox"
)

func work(jobs *signalbox.PosixQueue, name string) {
	ctx := context.Background()
	printers := must(signalbox.OpenSemaphore(name+"/printers", 2, signalbox.SemaphoreOptions{}))
	for {
		job := string(must(jobs.Receive(ctx)).Data)
		if job == "go home" {
			check(jobs.Send(ctx, []byte(job), 0)) // for the next worker
			return
		}
		printer := must(printers.Acquire(ctx)) // asleep while both are taken
		if job == "jam" {
			check(syscall.Kill(os.Getpid(), syscall.SIGKILL))
		}
		fmt.Println("printed", job)
		check(printer.Release())
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
