package signalbox

import (
	"math"
	"strconv"
)

// Start is where a subscriber begins, with each of the publishers that are there already. The zero
// value is Latest.
//
// The number is one less than the messages to go back, modulo 2^64, so that zero can mean Latest.
type Start uint64

const (
	// Latest begins with the newest message there is, then come all that follow.
	Latest Start = 0
	// Next begins with the first message published from now on.
	Next Start = math.MaxUint64
	// Oldest begins with the oldest message still kept.
	Oldest Start = math.MaxUint64 - 1
)

// Back begins n messages before the next one: Back(0) is Next, Back(1) is Latest.
func Back(n uint64) Start { return Start(n - 1) }

// String says the start in the words of this package.
func (s Start) String() string {
	switch s {
	case Latest:
		return "latest"
	case Next:
		return "next"
	case Oldest:
		return "oldest"
	default:
		return strconv.FormatUint(s.messagesBack(), 10) + " back"
	}
}

// messagesBack is the number the C interface wants (SBX_START_...).
func (s Start) messagesBack() uint64 { return uint64(s) + 1 }
