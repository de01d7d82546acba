package video

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"signalbox.dev/petcam/server/internal/petcam"
)

const (
	boundary      = "petcam-frame"
	writeTimeout  = 2 * time.Second
	snapshotWaits = 3 * time.Second
)

// ServeMJPEG streams to whatever shows multipart/x-mixed-replace: <img>, curl, VLC, go2rtc.
//
// A browser shows a part when it sees the boundary behind it, so the boundary goes out right after
// each frame and not before the next: no frame is late, and the last one before a pause is shown.
func (h *Hub) ServeMJPEG(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary="+boundary)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	viewer := h.Join(false)
	defer viewer.Leave()
	control := http.NewResponseController(w)
	write := func(parts ...[]byte) bool {
		_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
		for _, part := range parts {
			if _, err := w.Write(part); err != nil {
				return false
			}
		}
		return control.Flush() == nil
	}
	if !write([]byte("--" + boundary + "\r\n")) {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case frame, open := <-viewer.Frames:
			if !open {
				return
			}
			if !write(partHeader(frame), frame.Data(), []byte("\r\n--"+boundary+"\r\n")) {
				return
			}
		}
	}
}

func partHeader(f *petcam.Jpeg) []byte {
	seconds, nanos := f.WallNs/1e9, f.WallNs%1e9
	return fmt.Appendf(nil, "Content-Type: image/jpeg\r\nContent-Length: %d\r\n"+
		"X-Frame-Number: %d\r\nX-Timestamp: %d.%06d\r\n\r\n",
		len(f.Data()), f.Number, seconds, nanos/1000)
}

// ServeSnapshot answers the first frame that is published after the request.
func (h *Hub) ServeSnapshot(w http.ResponseWriter, r *http.Request) {
	viewer := h.Join(false)
	defer viewer.Leave()
	timer := time.NewTimer(snapshotWaits)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
	case <-timer.C:
		http.Error(w, "no picture within 3 s: the camera is missing or sends nothing; "+
			"/readyz says which", http.StatusServiceUnavailable)
	case frame, open := <-viewer.Frames:
		if !open {
			http.Error(w, "the server stops", http.StatusServiceUnavailable)
			return
		}
		WriteJpeg(w, frame.Number, frame.Data())
	}
}

// WriteJpeg answers a request with one picture.
func WriteJpeg(w http.ResponseWriter, number uint64, data []byte) {
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Header().Set("X-Frame-Number", strconv.FormatUint(number, 10))
	_, _ = w.Write(data)
}
