// Package signalbox is publish and subscribe in shared memory, between processes of one machine and
// between languages.
//
// A topic is a name. Each publisher owns a ring of messages that every subscriber reads in place. A
// message is a Go struct of fixed size and, if the topic has one, a tail of bytes behind it:
//
//	type Pose struct {
//		Seq uint64
//		XYZ [3]float64
//	}
//
//	poses, err := signalbox.OpenPublisher[Pose]("robot/pose", signalbox.PublisherOptions{})
//	...
//	poses.Send(&Pose{Seq: 1}, nil)
//
//	in, err := signalbox.OpenSubscriber[Pose]("robot/pose", signalbox.SubscriberOptions{})
//	...
//	sample, err := in.Receive(ctx) // parks the goroutine, not a thread
//	use(sample.Data())             // the publisher's own bytes
//	sample.Release()
//
// # Types
//
// A C, C++ or Python program takes part with the same struct. Both sides compute a description of
// the struct, see [Describe]; if they differ, the open is refused with ErrTypeMismatch and the name
// of the field. There is no schema file and no generator.
//
// # Memory
//
// A message of at most 480 bytes is copied. A larger one is filled where it lies, in a [Loan], and
// read where it lies, in a [Sample]; it stays as it is until [Sample.Release]. Samples, loans and
// handles that are forgotten are given back by the garbage collector, some time.
//
// # Waiting
//
// [Subscriber.Receive] waits in Go's poller, as a network connection does: a thousand waiting
// goroutines need no thread of their own, and a context or Close ends the wait. Where microseconds
// matter, SubscriberOptions.HoldThread keeps an OS thread that sleeps on the topic itself, and
// SpinMax looks again and again before. [Publisher.Publish] never waits; [Publisher.PublishContext]
// does, for subscribers that asked to lose nothing.
//
// # Who is there
//
// [ListTopics] says which topics there are and who is in them, a [TopicWatcher] who comes, leaves
// and dies, [FootprintOf] what memory a topic will take.
//
// # Goroutines, crashes
//
// One goroutine at a time uses a publisher, a loan or a subscriber: open another for another
// goroutine. Close, the counters and [Sample.Release] may be called from any, at any moment. Which
// OS thread runs a goroutine does not matter.
//
// A process that dies, even by SIGKILL, loses only what it had not published. Nobody has to clean
// up, and a subscriber goes on with the next publisher by itself.
//
// # Building
//
// The package is cgo over libsignalbox.so. In this repository `./dev build` makes the library, and
// `go build` finds it in build/dev/src. Another place comes first if the environment names it:
//
//	CGO_CFLAGS="-I<prefix>/include" CGO_LDFLAGS="-L<prefix>/lib -Wl,-rpath,<prefix>/lib" go build
package signalbox
