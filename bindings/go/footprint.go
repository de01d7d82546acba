package signalbox

/*
#cgo nocallback sbxgo_footprint
#cgo nocallback sbx_footprint_text
#include "native_discovery.h"
*/
import "C"

import "reflect"

// Footprint is the memory that a topic will take, in bytes of tmpfs as `du` counts them on a kernel
// with pages of 4 KiB. All is reserved when a publisher or subscriber is opened, and nothing is
// allocated later, but for the arenas of a publisher that was told to grow.
type Footprint struct {
	// Once for a topic: the type's name and text, and the bell.
	DescriptionBytes uint64
	BellBytes        uint64
	// For each publisher: control + ring + Frames * FrameBytes, and what rounds that up to pages.
	// There are Depth + LoansMax + HeldMax frames, and none where every message fits its slot.
	ControlBytes   uint64
	RingBytes      uint64
	Frames         uint64
	FrameBytes     uint64
	PublisherBytes uint64
	// What a publisher with GrownTailBytesMax may take besides: so many further arenas, each of as
	// many frames, the tails twice as long each time; so many bytes in all.
	Arenas        uint32
	GrownBytesMax uint64
	// For each subscriber.
	SubscriberBytes uint64
}

// FootprintOf answers the memory of a topic whose publishers are opened for T with these options.
// It creates nothing and does not enter the kernel.
//
// Errors: ErrBadArgument (an option outside its range, or a T that cannot be shared),
// ErrOutOfMemory.
func FootprintOf[T any](o PublisherOptions) (Footprint, error) {
	return footprintOf(reflect.TypeFor[T](), o)
}

func footprintOf(t reflect.Type, o PublisherOptions) (Footprint, error) {
	description, bad := describeTopic(t, o.TailBytesMax > 0 || o.GrownTailBytesMax > 0)
	if bad != nil {
		return Footprint{}, bad
	}
	texts, bad := newOpenStrings("", t, description, o.Domain)
	if bad != nil {
		return Footprint{}, bad
	}
	defer texts.free()
	options := o.native(texts.domain)
	var sum C.sbx_footprint
	err := try(func(result *C.sbxgo_result) C.int {
		return C.sbxgo_footprint(texts.typeName, texts.description, &options, &sum, result)
	})
	if err != nil {
		return Footprint{}, err
	}
	return Footprint{
		DescriptionBytes: uint64(sum.description_bytes),
		BellBytes:        uint64(sum.bell_bytes),
		ControlBytes:     uint64(sum.control_bytes),
		RingBytes:        uint64(sum.ring_bytes),
		Frames:           uint64(sum.frames),
		FrameBytes:       uint64(sum.frame_bytes),
		PublisherBytes:   uint64(sum.publisher_bytes),
		Arenas:           uint32(sum.arenas),
		GrownBytesMax:    uint64(sum.grown_bytes_max),
		SubscriberBytes:  uint64(sum.subscriber_bytes),
	}, nil
}

// TotalBytes is all of a topic as opened; grown as far as they may, publishers take GrownBytesMax
// more each.
func (f Footprint) TotalBytes(publishers, subscribers uint64) uint64 {
	return f.DescriptionBytes + f.BellBytes + publishers*f.PublisherBytes +
		subscribers*f.SubscriberBytes
}

// String is the sum as a table, a part a line.
func (f Footprint) String() string {
	sum := C.sbx_footprint{
		struct_size:       C.sizeof_sbx_footprint,
		description_bytes: C.uint64_t(f.DescriptionBytes),
		bell_bytes:        C.uint64_t(f.BellBytes),
		control_bytes:     C.uint64_t(f.ControlBytes),
		ring_bytes:        C.uint64_t(f.RingBytes),
		frames:            C.uint64_t(f.Frames),
		frame_bytes:       C.uint64_t(f.FrameBytes),
		publisher_bytes:   C.uint64_t(f.PublisherBytes),
		arenas:            C.uint32_t(f.Arenas),
		grown_bytes_max:   C.uint64_t(f.GrownBytesMax),
		subscriber_bytes:  C.uint64_t(f.SubscriberBytes),
	}
	var text [C.SBX_FOOTPRINT_TEXT_MAX]C.char
	C.sbx_footprint_text(&sum, &text[0], C.SBX_FOOTPRINT_TEXT_MAX)
	return C.GoString(&text[0])
}
