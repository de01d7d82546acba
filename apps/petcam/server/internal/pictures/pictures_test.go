package pictures

// Goal: what is cut out and drawn is where it should be; a frame whose numbers lie breaks nothing.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"signalbox.dev/petcam/server/internal/events"
	"signalbox.dev/petcam/server/internal/petcam"
)

// frame is grey with one bright orange rectangle.
func frame(width, height, stride int, subject image.Rectangle) *petcam.Picture {
	chroma := stride / 2 * (height / 2)
	p := &petcam.Picture{
		Number: 5, Width: width, Height: height, Stride: stride,
		I420: make([]byte, stride*height+2*chroma), Release: func() {},
	}
	y, cb, cr := color.RGBToYCbCr(255, 128, 0)
	for row := range height {
		for column := range stride {
			here := image.Pt(column, row).In(subject)
			value, blue, red := byte(128), byte(128), byte(128)
			if here {
				value, blue, red = y, cb, cr
			}
			p.I420[row*stride+column] = value
			if row%2 == 0 && column%2 == 0 {
				at := row/2*(stride/2) + column/2
				p.I420[stride*height+at] = blue
				p.I420[stride*height+chroma+at] = red
			}
		}
	}
	return p
}

func decode(t *testing.T, data []byte) image.Image {
	t.Helper()
	picture, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func orange(c color.Color) bool {
	r, _, b, _ := c.RGBA()
	return r>>8 > 200 && b>>8 < 80
}

func grey(c color.Color) bool {
	r, g, b, _ := c.RGBA()
	return max(r, g, b)-min(r, g, b) < 30<<8
}

func boxAround(r image.Rectangle) petcam.Box {
	return petcam.Box{X: float32(r.Min.X), Y: float32(r.Min.Y),
		W: float32(r.Dx()), H: float32(r.Dy())}
}

func TestPortraitShowsTheSubjectAndItsSurroundings(t *testing.T) {
	for name, subject := range map[string]image.Rectangle{
		"in the middle": image.Rect(600, 300, 800, 420),
		"in a corner":   image.Rect(0, 0, 150, 200),
		"tall":          image.Rect(640, 20, 740, 700),
		"wide":          image.Rect(20, 400, 1260, 460),
		"everything":    image.Rect(0, 0, 1280, 720),
		"tiny":          image.Rect(1000, 500, 1010, 508),
	} {
		data, err := Portrait(frame(1280, 720, 1280, subject), boxAround(subject))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		picture := decode(t, data)
		if picture.Bounds() != image.Rect(0, 0, PortraitWidth, PortraitHeight) {
			t.Errorf("%s: %v", name, picture.Bounds())
		}
		part := crop(image.Rect(0, 0, 1280, 720), boxAround(subject))
		if !part.In(image.Rect(0, 0, 1280, 720)) || part.Empty() {
			t.Errorf("%s: cut out %v, which is not inside the frame", name, part)
		}
		middle := subject.Min.Add(subject.Max).Div(2).Sub(part.Min)
		x, y := middle.X*PortraitWidth/part.Dx(), middle.Y*PortraitHeight/part.Dy()
		if !orange(picture.At(x, y)) {
			t.Errorf("%s: %v at %d, %d, want the subject", name, picture.At(x, y), x, y)
		}
	}
}

func TestStrideWiderThanThePicture(t *testing.T) {
	subject := image.Rect(100, 100, 200, 200)
	data, err := Annotated(frame(640, 480, 704, subject), nil)
	if err != nil {
		t.Fatal(err)
	}
	picture := decode(t, data)
	if picture.Bounds().Dx() != 640 || !orange(picture.At(150, 150)) || !grey(picture.At(400, 400)) {
		t.Errorf("%v, %v, %v", picture.Bounds(), picture.At(150, 150), picture.At(400, 400))
	}
}

func TestAnnotatedDrawsBoxesAroundAndNotOverTheSubject(t *testing.T) {
	subject := image.Rect(400, 300, 600, 450)
	track := petcam.Track{ID: 1, Label: "cat", Score: .9, Box: boxAround(subject.Inset(-10))}
	outside := petcam.Track{ID: 2, Label: "ghost", Box: petcam.Box{X: -500, Y: -500, W: 100, H: 100}}
	partly := petcam.Track{ID: 3, Label: "dog", Box: petcam.Box{X: 1200, Y: -20, W: 400, H: 100}}
	data, err := Annotated(frame(1280, 720, 1280, subject),
		[]petcam.Track{track, outside, partly})
	if err != nil {
		t.Fatal(err)
	}
	picture := decode(t, data)
	if !orange(picture.At(500, 375)) {
		t.Errorf("the subject is %v", picture.At(500, 375))
	}
	for _, at := range []image.Point{{391, 375}, {500, 291}, {608, 375}, {500, 458}} {
		if c := picture.At(at.X, at.Y); grey(c) || orange(c) {
			t.Errorf("no line at %v: %v", at, c)
		}
	}
	if !grey(picture.At(395, 600)) {
		t.Errorf("something was drawn where nothing is: %v", picture.At(395, 600))
	}
}

func TestFramesWhoseNumbersLieAreRefused(t *testing.T) {
	for name, lie := range map[string]func(*petcam.Picture){
		"too few bytes":    func(p *petcam.Picture) { p.I420 = p.I420[:len(p.I420)-1] },
		"no bytes":         func(p *petcam.Picture) { p.I420 = nil },
		"stride too small": func(p *petcam.Picture) { p.Stride = p.Width - 2 },
		"odd height":       func(p *petcam.Picture) { p.Height-- },
		"odd stride":       func(p *petcam.Picture) { p.Stride++ },
		"no width":         func(p *petcam.Picture) { p.Width = 0 },
		"negative":         func(p *petcam.Picture) { p.Height = -720 },
	} {
		p := frame(64, 48, 64, image.Rect(0, 0, 10, 10))
		lie(p)
		if _, err := Portrait(p, petcam.Box{W: 10, H: 10}); !errors.Is(err, ErrBadPicture) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

func TestAlbumSurvivesARestartAndStaysSmall(t *testing.T) {
	folder := t.TempDir()
	var released atomic.Int32
	take := func(uint64) (*petcam.Picture, error) {
		p := frame(64, 48, 64, image.Rect(10, 10, 30, 30))
		p.Release = func() { released.Add(1) }
		return p, nil
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	album, err := OpenAlbum(folder, take, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	go album.Run(ctx)
	id := func(n int) string { return fmt.Sprintf("0badcafe-%d", n) }
	for n := range AlbumMax {
		if err := album.put(id(n), []byte("a portrait")); err != nil {
			t.Fatal(err)
		}
	}
	for n := AlbumMax; n < AlbumMax+10; n++ {
		album.Ask(events.Portrait{Event: id(n), Box: petcam.Box{X: 10, Y: 10, W: 20, H: 20}})
		if album.Await(ctx, id(n)) == nil {
			t.Fatalf("no portrait of event %d", n)
		}
	}
	for released.Load() != 10 && ctx.Err() == nil {
		time.Sleep(time.Millisecond) // the last is released a moment after it was shown
	}
	if n := released.Load(); n != 10 {
		t.Errorf("%d frames were released, want all 10", n)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != AlbumMax {
		t.Errorf("%d files, %v, want %d", len(files), err, AlbumMax)
	}
	if album.Find(id(9)) != nil || album.Find(id(10)) == nil {
		t.Error("not the oldest portraits went")
	}
	again, err := OpenAlbum(folder, take, log)
	if err != nil {
		t.Fatal(err)
	}
	if again.Find(id(20)) == nil || len(again.order) != AlbumMax {
		t.Errorf("after a restart %d portraits", len(again.order))
	}
	for _, name := range []string{"../../../etc/passwd", "", "..", "0badcafe-1/../x", "NEW"} {
		if again.Find(name) != nil {
			t.Errorf("%q was answered", name)
		}
	}
}
