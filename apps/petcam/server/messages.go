package main

// The structs of apps/petcam/camera/messages.hpp, field for field: what the three daemons of petcam
// tell each other. Go lays them out as C++ does on amd64 and arm64; a drift is refused at open by
// Signalbox with the name of the field.

const (
	framesTopic        = "petcam/frames"
	jpegTopic          = "petcam/jpeg"
	detectionsTopic    = "petcam/detections"
	cameraStatsTopic   = "petcam/stats/camera"
	detectorStatsTopic = "petcam/stats/detector"
)

type truthMessage struct {
	Label      [16]byte `sbx:"label,char"`
	X, Y, W, H float32
}

// frameMessage has the I420 picture as its tail.
type frameMessage struct {
	Number      uint64
	CaptureNs   uint64
	WallNs      uint64
	PublishedNs uint64
	Width       uint32
	Height      uint32
	Stride      uint32
	Generation  uint32
	Source      uint32
	TruthCount  uint32
	Truth       [4]truthMessage
}

// jpegMessage has the JPEG file as its tail.
type jpegMessage struct {
	Number, CaptureNs, WallNs, PublishedNs uint64
	Width, Height                          uint32
}

type detectionMessage struct {
	TrackID    uint32
	Score      float32
	X, Y, W, H float32
	AgeFrames  uint32
	State      uint32   // 1 confirmed, 2 coasting
	Label      [24]byte `sbx:"label,char"`
	Zone       [16]byte `sbx:"zone,char"`
}

type detectionsMessage struct {
	Number, CaptureNs, WallNs uint64
	FramePublishedNs          uint64
	TakenNs                   uint64
	PublishedNs               uint64
	Width, Height             uint32
	DemoScene                 uint32
	Count                     uint32
	Detector                  [16]byte `sbx:"detector,char"`
	Items                     [32]detectionMessage
}

type statsMessage struct {
	Daemon           [16]byte `sbx:"daemon,char"`
	Pid              uint32
	State            uint32
	StartedNs        uint64
	UpdatedNs        uint64
	FramesIn         uint64
	FramesOut        uint64
	FramesDropped    uint64
	JpegEncodes      uint64
	WakesReady       uint64
	WakesTimedOut    uint64
	WakesInterrupted uint64
	Torn             uint64
	WorkCPUNs        uint64 `sbx:"work_cpu_ns"`
	TotalCPUNs       uint64 `sbx:"total_cpu_ns"`
	LatencyCount     uint64
	LatencySumNs     uint64
	LatencyMaxNs     uint64
	LatencyUsLog2    [24]uint64
	Note             [128]byte `sbx:"note,char"`
}
