// Package pictures makes small and annotated JPEGs out of raw frames in shared memory. It runs only
// when somebody asks or an event begins; the live video's JPEGs are the camera's work.
package pictures

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"signalbox.dev/petcam/server/internal/petcam"
)

// ErrBadPicture: the frame's numbers do not fit its bytes.
var ErrBadPicture = errors.New("the frame's size, stride and bytes do not fit each other")

const (
	// PortraitWidth and PortraitHeight are the size of a portrait.
	PortraitWidth  = 256
	PortraitHeight = 192

	portraitMargin  = 1.35 // how much of the surroundings a portrait shows
	portraitQuality = 80
	frameQuality    = 88
)

// ycbcr looks at the frame in place.
func ycbcr(p *petcam.Picture) (*image.YCbCr, error) {
	luma, chroma := p.Stride*p.Height, (p.Stride/2)*(p.Height/2)
	if p.Width <= 0 || p.Height <= 0 || p.Stride < p.Width || p.Stride%2 != 0 ||
		p.Height%2 != 0 || p.Width%2 != 0 || len(p.I420) < luma+2*chroma {
		return nil, fmt.Errorf("%w: %d x %d, stride %d, %d bytes", ErrBadPicture,
			p.Width, p.Height, p.Stride, len(p.I420))
	}
	return &image.YCbCr{
		Y: p.I420[:luma], Cb: p.I420[luma : luma+chroma], Cr: p.I420[luma+chroma : luma+2*chroma],
		YStride: p.Stride, CStride: p.Stride / 2,
		SubsampleRatio: image.YCbCrSubsampleRatio420,
		Rect:           image.Rect(0, 0, p.Width, p.Height),
	}, nil
}

// Portrait is the subject in the box with a little of its surroundings.
func Portrait(p *petcam.Picture, box petcam.Box) ([]byte, error) {
	source, err := ycbcr(p)
	if err != nil {
		return nil, err
	}
	small := image.NewRGBA(image.Rect(0, 0, PortraitWidth, PortraitHeight))
	draw.ApproxBiLinear.Scale(small, small.Rect, source, crop(source.Rect, box), draw.Src, nil)
	return encode(small, portraitQuality)
}

// crop is the smallest part of the frame around the box that has a portrait's proportions.
func crop(frame image.Rectangle, box petcam.Box) image.Rectangle {
	const shape = float64(PortraitWidth) / PortraitHeight
	height := portraitMargin * math.Max(float64(box.H), float64(box.W)/shape)
	height = math.Min(math.Max(height, PortraitHeight/2), float64(frame.Dy()))
	width := math.Min(height*shape, float64(frame.Dx()))
	height = math.Min(height, width/shape)
	x, y := box.Center()
	left := math.Min(math.Max(float64(x)-width/2, 0), float64(frame.Dx())-width)
	top := math.Min(math.Max(float64(y)-height/2, 0), float64(frame.Dy())-height)
	return image.Rect(int(left), int(top), int(left+width), int(top+height))
}

// Annotated is the whole frame with the tracks drawn on it.
func Annotated(p *petcam.Picture, tracks []petcam.Track) ([]byte, error) {
	source, err := ycbcr(p)
	if err != nil {
		return nil, err
	}
	canvas := image.NewRGBA(source.Rect)
	draw.Draw(canvas, canvas.Rect, source, image.Point{}, draw.Src)
	for _, track := range tracks {
		annotate(canvas, track)
	}
	return encode(canvas, frameQuality)
}

func annotate(canvas *image.RGBA, track petcam.Track) {
	paint := image.NewUniform(Colour(track.ID))
	line := max(2, canvas.Rect.Dx()/400)
	b := track.Box
	outer := image.Rect(int(b.X), int(b.Y), int(b.X+b.W), int(b.Y+b.H)).Intersect(canvas.Rect)
	if outer.Empty() {
		return
	}
	inner := outer.Inset(line)
	for _, side := range []image.Rectangle{
		{outer.Min, image.Pt(outer.Max.X, inner.Min.Y)},
		{image.Pt(outer.Min.X, inner.Max.Y), outer.Max},
		{outer.Min, image.Pt(inner.Min.X, outer.Max.Y)},
		{image.Pt(inner.Max.X, outer.Min.Y), outer.Max},
	} {
		draw.Draw(canvas, side, paint, image.Point{}, draw.Src)
	}
	caption(canvas, outer, paint, fmt.Sprintf("%s #%d %.0f%%", track.Label, track.ID,
		track.Score*100))
}

// caption stands above the box, or inside where there is no room above.
func caption(canvas *image.RGBA, box image.Rectangle, paint image.Image, text string) {
	face := basicfont.Face7x13
	size := image.Rect(0, 0, face.Advance*len(text)+6, face.Height+4)
	plate := image.NewRGBA(size)
	draw.Draw(plate, size, paint, image.Point{}, draw.Src)
	drawer := font.Drawer{
		Dst: plate, Src: image.Black, Face: face, Dot: fixed.P(3, face.Ascent+2),
	}
	drawer.DrawString(text)

	scale := max(1, canvas.Rect.Dx()/640)
	target := size
	target.Max = target.Max.Mul(scale)
	target = target.Add(image.Pt(box.Min.X, box.Min.Y-target.Max.Y))
	if target.Min.Y < 0 {
		target = target.Add(image.Pt(0, -target.Min.Y))
	}
	draw.NearestNeighbor.Scale(canvas, target, plate, size, draw.Src, nil)
}

// Colour tells tracks apart; the page uses the same hues for the same ids.
func Colour(id uint32) color.RGBA {
	hues := [...]color.RGBA{
		{0xff, 0xb4, 0x54, 0xff}, {0x5c, 0xd6, 0xc0, 0xff}, {0xff, 0x7e, 0xb6, 0xff},
		{0x8a, 0xb4, 0xff, 0xff}, {0xc4, 0xe8, 0x5a, 0xff}, {0xd7, 0xa6, 0xff, 0xff},
	}
	return hues[id%uint32(len(hues))]
}

func encode(picture image.Image, quality int) ([]byte, error) {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
