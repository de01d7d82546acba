// Which topics there are and who is in them, and who comes and goes from then on. Here the program
// watches itself: it joins a topic, looks at it, and leaves. A child of it was killed on another
// topic, where its page is seen until somebody comes there.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"syscall"

	"signalbox.dev/examples/go/pose"
	"signalbox.dev/go/signalbox"
)

func main() {
	if len(os.Args) == 2 { // the child
		joinAndSend("leg/pose")
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	exec.Command(os.Args[0], "be killed").Run()
	watcher := must(signalbox.OpenTopicWatcher(signalbox.TopicWatcherOptions{}))
	defer watcher.Close()
	poses := joinAndSend("arm/pose")
	tellWhoIsThere()
	tellWhatChanged(watcher)
	poses.Close()
	tellWhatChanged(watcher)
}

func joinAndSend(topic string) *signalbox.Publisher[pose.Pose] {
	poses := must(signalbox.OpenPublisher[pose.Pose](topic, signalbox.PublisherOptions{}))
	must(poses.Send(&pose.Pose{}, nil))
	return poses
}

func tellWhoIsThere() {
	for _, topic := range must(signalbox.ListTopics("")) {
		for _, who := range topic.Publishers {
			dead := map[bool]string{false: ", which is dead,"}[who.IsAlive]
			fmt.Printf("%s: %s%s has published %d\n", topic.Name, who.Program, dead, who.Published)
		}
	}
}

// tellWhatChanged only asks; Receive and All park until there is something to tell.
func tellWhatChanged(watcher *signalbox.TopicWatcher) {
	for event, isThere, err := watcher.Take(); must(isThere, err); {
		fmt.Println(event.Kind, event.Topic)
		event, isThere, err = watcher.Take()
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
