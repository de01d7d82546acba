package pictures

import (
	"context"
	"log/slog"
	"sync"

	"signalbox.dev/petcam/server/internal/events"
	"signalbox.dev/petcam/server/internal/petcam"
)

const (
	// AlbumMax portraits are kept in memory, about 10 KB each.
	AlbumMax = 256
	// portraitsWaiting may be asked for before the next is left out: the event gets another chance.
	portraitsWaiting = 4
)

// Album keeps the best portrait of each of the youngest events.
type Album struct {
	log     *slog.Logger
	picture func(number uint64) (*petcam.Picture, error)
	asked   chan events.Portrait

	mu    sync.Mutex
	order []string // oldest first
	best  map[string][]byte
	added chan struct{} // closed at the next portrait
}

// NewAlbum takes its pictures from the source.
func NewAlbum(picture func(number uint64) (*petcam.Picture, error), log *slog.Logger) *Album {
	return &Album{
		log: log, picture: picture, asked: make(chan events.Portrait, portraitsWaiting),
		best: map[string][]byte{}, added: make(chan struct{}),
	}
}

// Ask wants a portrait made. It never waits.
func (a *Album) Ask(p events.Portrait) {
	select {
	case a.asked <- p:
	default:
	}
}

// Run makes portraits until the context ends.
func (a *Album) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case wanted := <-a.asked:
			if err := a.take(wanted); err != nil {
				a.log.Warn("no portrait of an event's subject", "event", wanted.Event, "reason", err)
			}
		}
	}
}

func (a *Album) take(wanted events.Portrait) error {
	picture, err := a.picture(wanted.Frame)
	if err != nil {
		return err
	}
	defer picture.Release()
	data, err := Portrait(picture, wanted.Box)
	if err != nil {
		return err
	}
	a.put(wanted.Event, data)
	return nil
}

func (a *Album) put(event string, data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, had := a.best[event]; !had {
		if len(a.order) == AlbumMax {
			delete(a.best, a.order[0])
			a.order = a.order[1:]
		}
		a.order = append(a.order, event)
	}
	a.best[event] = data
	close(a.added)
	a.added = make(chan struct{})
}

// Find answers the portrait of an event, nil if there is none.
func (a *Album) Find(event string) []byte {
	data, _ := a.find(event)
	return data
}

func (a *Album) find(event string) ([]byte, chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.best[event], a.added
}

// Await is Find for a portrait that may just be being made: nil when the context ends first.
func (a *Album) Await(ctx context.Context, event string) []byte {
	for {
		data, added := a.find(event)
		if data != nil {
			return data
		}
		select {
		case <-ctx.Done():
			return nil
		case <-added:
		}
	}
}
