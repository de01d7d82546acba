//go:build race

package signalbox_test

const raceDetector = true
