// Package pose holds the message that publish and subscribe exchange; the same bytes as
// ../../cpp/pose.hpp and ../../c/pose.h.
package pose

type Pose struct {
	Seq   uint64
	XYZ   [3]float64
	Label [16]byte `sbx:",char"`
}
