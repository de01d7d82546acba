package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"signalbox.dev/go/signalbox"
)

// counted is the message of the batch programs.
type counted struct {
	Number uint64
	Twice  uint64
}

// No divisor of the ring's depth, nor of the other program's batches.
const batchLength = 29

func exchangeBatches(verb, topic string) error {
	count, err := strconv.ParseUint(os.Args[3], 10, 64)
	if err != nil {
		return err
	}
	if verb == "send" {
		return sendBatches(topic, count)
	}
	return takeBatches(topic, count)
}

func sendBatches(topic string, count uint64) error {
	out, err := signalbox.OpenPublisher[counted](topic, signalbox.PublisherOptions{Depth: 64})
	if err != nil {
		return err
	}
	defer out.Close()
	fmt.Println("open")
	for out.SubscriberCount() == 0 {
	}
	batch := make([]counted, 0, batchLength)
	for number := range count {
		batch = append(batch, counted{number, 2 * number})
		if len(batch) < batchLength && number+1 < count {
			continue
		}
		if _, err := out.SendBatchContext(context.Background(), batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func takeBatches(topic string, count uint64) error {
	in, err := signalbox.OpenSubscriber[counted](topic,
		signalbox.SubscriberOptions{Start: signalbox.Oldest, Reliable: true})
	if err != nil {
		return err
	}
	defer in.Close()
	fmt.Println("open")
	batch := make([]counted, batchLength)
	for taken := uint64(0); taken < count; {
		first, err := in.Receive(context.Background()) // parks
		if err != nil {
			return err
		}
		batch[0] = *first.Data()
		first.Release()
		more, err := in.TakeBatch(batch[1:])
		if err != nil {
			return err
		}
		for _, message := range batch[:1+more] {
			if message != (counted{taken, 2 * taken}) {
				return fmt.Errorf("message %d is %v", taken, message)
			}
			taken++
		}
	}
	fmt.Println("received all")
	return nil
}
