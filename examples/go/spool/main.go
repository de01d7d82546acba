// A spool: `spool NAME 20 TEXT` puts a job in, `spool NAME` has them printed, the most urgent
// first, until one says "go home". One spooler at a time, three workers, two printers; whoever is
// killed gives back what he held. The example in Python of that name is the same spool.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"signalbox.dev/go/signalbox"
)

func main() {
	name := os.Args[1]
	jobs := must(signalbox.OpenOrCreatePosixQueue("/"+name,
		signalbox.PosixQueueOptions{MessagesMax: 8, MessageBytesMax: 64}))
	switch len(os.Args) {
	case 2:
		file := must(os.OpenFile(name+".lock", os.O_CREATE|os.O_RDWR, 0o600))
		lock := must(signalbox.TryLockFile(file, signalbox.FileLockOptions{}))
		if lock == nil {
			log.Fatal("somebody spools there already")
		}
		spool(name)
		check(signalbox.UnlinkPosixQueue("/" + name))
		check(lock.Release())
	case 3: // "work": a process of its own, because a printer may crash it
		work(jobs, name)
	case 4:
		urgency := must(strconv.ParseUint(os.Args[2], 10, 32))
		check(jobs.Send(context.Background(), []byte(os.Args[3]), uint32(urgency)))
	}
}

func spool(name string) {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range 3 {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for keepWorking := true; keepWorking; {
				worker := exec.Command(os.Args[0], name, "work")
				worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
				check(worker.Start())
				worker.Wait()
				if keepWorking = !worker.ProcessState.Exited(); keepWorking {
					fmt.Println("a worker was killed") // its printer is free by now, its job lost
				}
			}
		}()
	}
}
