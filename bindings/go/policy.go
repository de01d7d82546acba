package signalbox

// WhenBehind is what publishing does when a reliable subscriber is a whole ring behind. The zero
// value is WhenBehindWait.
type WhenBehind uint32

const (
	// WhenBehindWait waits for it, in the calls that take a context, until the context ends; the
	// others answer ErrWouldBlock.
	WhenBehindWait WhenBehind = iota
	// WhenBehindDropNew gives the message up at once, for all, whatever the context: ErrWouldBlock,
	// counted in DroppedCount here and at every subscriber.
	WhenBehindDropNew
	// WhenBehindEvict leaves the subscriber behind, counted in EvictedCount: it is told ErrEvicted,
	// takes no more of this publisher, and its LostCount goes on counting what it does not get.
	// Opened again it begins with new counts: what it missed on the way is told by the positions of
	// its last sample and of its new first.
	WhenBehindEvict
)

// Tier is what others map of a participant, and how they come to it. All users of a topic ask for
// the same; SECURITY.md says what each protects from. The zero value is TierPlain.
type Tier uint32

const (
	// TierPlain is files that whoever may write the domain can open.
	TierPlain Tier = iota
	// TierHardened is memory sealed by the kernel, handed over sockets to whom the kernel says the
	// domain is for. A thread of the library, not Go's, answers newcomers while a participant is open.
	TierHardened
)

// WakeSleepers is whether publishing wakes those who sleep. The zero value is WakeSleepersYes.
type WakeSleepers uint32

const (
	// WakeSleepersYes wakes whoever sleeps on the topic.
	WakeSleepersYes WakeSleepers = iota
	// WakeSleepersNo never enters the kernel to wake anybody: whoever sleeps in a wait of C, C++ or
	// Python finds the message within 100 ms by himself, and a Receive of Go within a second.
	WakeSleepersNo
)
