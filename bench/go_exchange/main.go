// go_exchange is the follower in Go of bench_bindings: it reads what comes and sends 48 bytes back.
// The protocol is that of follower.hpp, the exchanges are those of echo_exchange.hpp.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"signalbox.dev/go/signalbox"
)

// Payload is what goes there and back; word i of message n is n + i.
type Payload struct {
	Words [6]uint64
}

// exchange is where the words come from, and the way back.
type exchange struct {
	receive func() (Payload, error)
	back    *signalbox.Publisher[Payload]
	last    uint64
}

func open(name string, receive func() (Payload, error)) (*exchange, error) {
	back, err := signalbox.OpenPublisher[Payload]("bench/go/"+name+"/back",
		signalbox.PublisherOptions{Depth: 4})
	if err != nil {
		return nil, err
	}
	return &exchange{receive: receive, back: back}, nil
}

func openTopic(name string, o signalbox.SubscriberOptions) (*exchange, error) {
	o.Start = signalbox.Oldest
	there, err := signalbox.OpenSubscriber[Payload]("bench/go/"+name+"/there", o)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return open(name, func() (Payload, error) {
		sample, err := there.Receive(ctx)
		if err != nil {
			return Payload{}, err
		}
		defer sample.Release()
		return *sample.Data(), nil
	})
}

// openPipe reads as any program in Go does, with none of ours in the way there.
func openPipe(name string) (*exchange, error) {
	path := filepath.Join(os.Getenv("SIGNALBOX_DIR"), "go-"+name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, err
	}
	// For both directions, so that neither side waits for the other.
	there, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	var payload Payload
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&payload)), unsafe.Sizeof(payload))
	return open(name, func() (Payload, error) {
		_, err := io.ReadFull(there, bytes)
		return payload, err
	})
}

func (e *exchange) follow(rounds uint64) error {
	for ; rounds > 0; rounds-- {
		payload, err := e.receive()
		if err != nil {
			return err
		}
		e.last++
		for i, word := range payload.Words {
			if word != e.last+uint64(i) {
				return fmt.Errorf("message %d arrived damaged: %v", e.last, payload)
			}
		}
		if _, err := e.back.Send(&payload, nil); err != nil {
			return err
		}
	}
	return nil
}

func openAll() (map[string]*exchange, error) {
	exchanges := map[string]*exchange{}
	for name, o := range map[string]signalbox.SubscriberOptions{
		"words":   {SpinMax: time.Minute},
		"blocked": {HoldThread: true},
		"parked":  {},
	} {
		e, err := openTopic(name, o)
		if err != nil {
			return nil, err
		}
		exchanges[name] = e
	}
	pipe, err := openPipe("pipe")
	exchanges["pipe"] = pipe
	return exchanges, err
}

func run() error {
	exchanges, err := openAll()
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		name, rounds := "", uint64(0)
		if _, err := fmt.Scan(&name, &rounds); err != nil {
			return nil // the leader is done
		}
		if err := exchanges[name].follow(rounds); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(); err != nil {
		log.Fatal("bench: the follower in Go: ", err)
	}
}
