// Two processes that write their brackets in pieces, and never inside each other's: a semaphore set
// with one place. That a process dies inside does not matter: the kernel gives its place back.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strconv"

	"signalbox.dev/go/signalbox"
)

func main() {
	if len(os.Args) == 2 { // the child, which is told the set's id
		id := must(strconv.Atoi(os.Args[1]))
		writeAlone(must(signalbox.AttachSemaphoreSet(id)), "child")
		return
	}
	terminal := must(signalbox.CreateSemaphoreSet(signalbox.PrivateKey, []uint16{1}, 0))
	defer terminal.Remove()
	child := exec.Command(os.Args[0], strconv.Itoa(terminal.ID()))
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Start(); err != nil {
		log.Fatal(err)
	}
	writeAlone(terminal, "parent")
	if err := child.Wait(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("done")
}

func writeAlone(terminal *signalbox.SemaphoreSet, who string) {
	for i := 1; i <= 3; i++ {
		leave := must(terminal.Enter(context.Background(), 0))
		fmt.Print("(", who, " ")
		fmt.Print(i, ")\n")
		leave()
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
