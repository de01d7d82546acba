// go_exchange is the follower in Go of bench_bindings: it reads what comes and sends 48 bytes back.
// The protocol is that of follower.hpp, the exchanges are those of echo_exchange.hpp.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"signalbox.dev/go/signalbox"
)

// Payload is what goes there and back; word i of message n is n + i.
type Payload struct {
	Words [6]uint64
}

type exchange struct {
	there *signalbox.Subscriber[Payload]
	back  *signalbox.Publisher[Payload]
	last  uint64
}

func open(name string, spinMax time.Duration) (*exchange, error) {
	back, err := signalbox.OpenPublisher[Payload]("bench/go/"+name+"/back",
		signalbox.PublisherOptions{Depth: 4})
	if err != nil {
		return nil, err
	}
	there, err := signalbox.OpenSubscriber[Payload]("bench/go/"+name+"/there",
		signalbox.SubscriberOptions{Start: signalbox.Oldest, SpinMax: spinMax})
	if err != nil {
		return nil, err
	}
	return &exchange{there: there, back: back}, nil
}

func (e *exchange) follow(rounds uint64) error {
	ctx := context.Background()
	for ; rounds > 0; rounds-- {
		sample, err := e.there.Receive(ctx)
		if err != nil {
			return err
		}
		e.last++
		payload := *sample.Data()
		sample.Release()
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

func run() error {
	exchanges := map[string]*exchange{}
	for name, spinMax := range map[string]time.Duration{"words": time.Minute, "blocked": 0} {
		e, err := open(name, spinMax)
		if err != nil {
			return err
		}
		exchanges[name] = e
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
