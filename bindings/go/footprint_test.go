package signalbox_test

// The memory of a topic before it is made is what its files take then.

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"signalbox.dev/go/signalbox"
)

// takenBy is what the files in a folder take, as du counts.
func takenBy(t *testing.T, folder string) uint64 {
	t.Helper()
	bytes := uint64(0)
	for _, entry := range must[[]os.DirEntry](t)(os.ReadDir(folder)) {
		facts := must[os.FileInfo](t)(entry.Info()).Sys().(*syscall.Stat_t)
		bytes += uint64(facts.Blocks) * 512
	}
	return bytes
}

func TestAFootprintIsWhatATopicTakes(t *testing.T) {
	for _, options := range []signalbox.PublisherOptions{
		{},
		{Depth: 8, LoansMax: 2, HeldMax: 9, Wake: signalbox.WakeSleepersNo},
		{TailBytesMax: 5000},
	} {
		t.Run("", func(t *testing.T) {
			dir := alone(t)
			sum := must[signalbox.Footprint](t)(signalbox.FootprintOf[Frame](options))
			if left := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(left) != 0 {
				t.Fatalf("%v", left)
			}
			for range 2 {
				openPublisher[Frame](t, "p", options)
			}
			openSubscriber[Frame](t, "p",
				signalbox.SubscriberOptions{Tail: options.TailBytesMax > 0})
			taken, whole := takenBy(t, filepath.Join(dir, "default", "p")), sum.TotalBytes(2, 1)
			if taken != whole {
				t.Fatalf("%+v: %d bytes taken, %d added up\n%s", options, taken, whole, sum)
			}
		})
	}
}

func TestAFootprintNamesItsParts(t *testing.T) {
	sum := must[signalbox.Footprint](t)(
		signalbox.FootprintOf[Frame](signalbox.PublisherOptions{Depth: 8}))
	if sum.Frames != 8+1+4 || sum.Arenas != 0 || sum.GrownBytesMax != 0 {
		t.Fatalf("%+v", sum)
	}
	lines := strings.Split(strings.TrimSpace(sum.String()), "\n")
	framesBytes := sum.Frames * sum.FrameBytes
	for i, bytes := range []uint64{sum.DescriptionBytes, sum.BellBytes, sum.ControlBytes,
		sum.RingBytes, framesBytes, sum.PublisherBytes - sum.ControlBytes - sum.RingBytes - framesBytes,
		sum.SubscriberBytes, sum.TotalBytes(1, 1)} {
		if !strings.HasSuffix(lines[i], " "+strconv.FormatUint(bytes, 10)) {
			t.Fatalf("line %d does not tell %d\n%s", i, bytes, sum)
		}
	}
	if !strings.HasPrefix(lines[4], "publisher: 13 frames of ") {
		t.Fatalf("%s", sum)
	}
	growing := must[signalbox.Footprint](t)(signalbox.FootprintOf[signalbox.Bytes](
		signalbox.PublisherOptions{TailBytesMax: 4096, GrownTailBytesMax: 4 * 4096}))
	if growing.Arenas != 2 || growing.GrownBytesMax <= growing.PublisherBytes {
		t.Fatalf("%+v", growing)
	}
}

func TestAFootprintChecksOptionsAsAnOpenDoes(t *testing.T) {
	_, err := signalbox.FootprintOf[Pose](signalbox.PublisherOptions{Depth: 3})
	expectError(t, err, signalbox.ErrBadArgument, "depth is 3")
	_, err = signalbox.FootprintOf[Pose](signalbox.PublisherOptions{Tier: 9})
	expectError(t, err, signalbox.ErrBadArgument, "tier")
	_, err = signalbox.FootprintOf[map[string]int](signalbox.PublisherOptions{})
	expectError(t, err, signalbox.ErrBadArgument)
}
