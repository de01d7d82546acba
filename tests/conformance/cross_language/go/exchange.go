// One of the four programs of ../README.md: exchanges the message in Go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"

	"signalbox.dev/go/signalbox"
)

type corner struct {
	ID uint32
	XY [2]float32
}

type message[Precise float32 | float64] struct {
	U8      uint8   `sbx:"n_u8"`
	U16     uint16  `sbx:"n_u16"`
	U32     uint32  `sbx:"n_u32"`
	U64     uint64  `sbx:"n_u64"`
	I8      int8    `sbx:"n_i8"`
	I16     int16   `sbx:"n_i16"`
	I32     int32   `sbx:"n_i32"`
	I64     int64   `sbx:"n_i64"`
	F32     float32 `sbx:"n_f32"`
	Precise Precise
	Flag    bool
	Letter  byte `sbx:",char"`
	Vector  [3]float64
	Matrix  [2][3]int32
	Corner  corner
	Corners [2]corner
	Label   [16]byte `sbx:",char"`
}

var tailBytes = []int{0, 5, 100_000}

func cornerOf(n int) corner {
	x := float32(n) + 0.5
	return corner{ID: uint32(7 + n), XY: [2]float32{x, -x}}
}

func messageOf[Precise float32 | float64](n int) message[Precise] {
	m := message[Precise]{
		U8:      uint8(200 + n),
		U16:     uint16(60_000 + n),
		U32:     uint32(4_000_000_000 + n),
		U64:     18_000_000_000_000_000_000 + uint64(n),
		I8:      int8(-100 - n),
		I16:     int16(-30_000 - n),
		I32:     int32(-2_000_000_000 - n),
		I64:     -9_000_000_000_000_000_000 - int64(n),
		F32:     float32(n) + 0.5,
		Precise: Precise(0.1 * float64(n+1)),
		Flag:    n%2 == 1,
		Letter:  byte('a' + n),
		Corner:  cornerOf(n),
		Corners: [2]corner{cornerOf(n + 1), cornerOf(n + 2)},
	}
	for i := range m.Vector {
		m.Vector[i] = float64(n) + float64(i)/4
	}
	for row := range m.Matrix {
		for column := range m.Matrix[row] {
			m.Matrix[row][column] = int32(100*n + 10*row + column)
		}
	}
	copy(m.Label[:], fmt.Sprintf("message %d", n))
	return m
}

func tailByte(i, n int) byte { return byte(31*i + n) }

func publish[Precise float32 | float64](topic string) error {
	out, err := signalbox.OpenPublisher[message[Precise]](topic,
		signalbox.PublisherOptions{TailBytesMax: 100_000})
	if err != nil {
		return err
	}
	defer out.Close()
	fmt.Println("open")
	for n, length := range tailBytes {
		loan, err := out.Loan(length)
		if err != nil {
			return err
		}
		*loan.Data() = messageOf[Precise](n)
		for i := range loan.Tail() {
			loan.Tail()[i] = tailByte(i, n)
		}
		if _, err := out.Publish(loan); err != nil {
			return err
		}
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// check names the first field that is wrong.
func check[Precise float32 | float64](sample *signalbox.Sample[message[Precise]], n int) error {
	got, expected := reflect.ValueOf(*sample.Data()), reflect.ValueOf(messageOf[Precise](n))
	for i := range got.NumField() {
		if got.Field(i).Interface() != expected.Field(i).Interface() {
			return fmt.Errorf("message %d: %s is wrong", n, got.Type().Field(i).Name)
		}
	}
	tail := sample.Tail()
	if len(tail) != tailBytes[n] {
		return fmt.Errorf("message %d: the tail has %d bytes", n, len(tail))
	}
	for i, b := range tail {
		if b != tailByte(i, n) {
			return fmt.Errorf("message %d: byte %d of the tail is wrong", n, i)
		}
	}
	return nil
}

func subscribe[Precise float32 | float64](topic string) error {
	in, err := signalbox.OpenSubscriber[message[Precise]](topic,
		signalbox.SubscriberOptions{Start: signalbox.Oldest, Tail: true})
	if err != nil {
		return err
	}
	defer in.Close()
	fmt.Println("open")
	for n := range tailBytes {
		sample, err := in.Receive(context.Background())
		if err != nil {
			return err
		}
		if err := check(sample, n); err != nil {
			return err
		}
		sample.Release()
	}
	fmt.Println("received all")
	return nil
}

func exchange[Precise float32 | float64](verb, topic string) error {
	if verb == "publish" {
		return publish[Precise](topic)
	}
	return subscribe[Precise](topic)
}

func main() {
	verb, topic := os.Args[1], os.Args[2]
	run := exchange[float64]
	if verb == "send" || verb == "take" {
		run = exchangeBatches
	} else if len(os.Args) > 3 {
		run = exchange[float32]
	}
	err := run(verb, topic)
	var refused *signalbox.Error
	switch {
	case errors.As(err, &refused):
		fmt.Fprintf(os.Stderr, "%s: %s\n", refused.Code, refused.Text)
		os.Exit(3)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
