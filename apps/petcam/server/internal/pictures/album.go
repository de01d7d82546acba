package pictures

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"signalbox.dev/petcam/server/internal/events"
	"signalbox.dev/petcam/server/internal/petcam"
)

const (
	// AlbumMax portraits are kept, about 10 KB each.
	AlbumMax = 256
	// portraitsWaiting may be asked for before the next is left out: the event gets another chance.
	portraitsWaiting = 4
)

// eventID is what an event may be called. The names come from the web and become names of files.
var eventID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9]{1,20}$`)

// Album keeps the best portrait of each of the youngest events, as files in the state folder, so
// that a restarted server still has them.
type Album struct {
	log     *slog.Logger
	folder  string
	picture func(number uint64) (*petcam.Picture, error)
	asked   chan events.Portrait

	mu    sync.Mutex
	order []string      // events with a portrait, oldest first
	added chan struct{} // closed at the next portrait
}

// OpenAlbum goes on with the portraits in the folder, which is made if it is missing.
func OpenAlbum(folder string, picture func(number uint64) (*petcam.Picture, error),
	log *slog.Logger) (*Album, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder for portraits: %w", err)
	}
	a := &Album{
		log: log, folder: folder, picture: picture, added: make(chan struct{}),
		asked: make(chan events.Portrait, portraitsWaiting),
	}
	found, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot read the folder of portraits: %w", err)
	}
	modified := map[string]int64{}
	for _, entry := range found {
		name, isJpeg := cutJpeg(entry.Name())
		info, err := entry.Info()
		if isJpeg && err == nil && eventID.MatchString(name) {
			modified[name] = info.ModTime().UnixNano()
			a.order = append(a.order, name)
		}
	}
	slices.SortFunc(a.order, func(x, y string) int { return cmp.Compare(modified[x], modified[y]) })
	return a, nil
}

func cutJpeg(name string) (string, bool) {
	base := name[:len(name)-len(filepath.Ext(name))]
	return base, filepath.Ext(name) == ".jpg"
}

func (a *Album) path(event string) string { return filepath.Join(a.folder, event+".jpg") }

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
	return a.put(wanted.Event, data)
}

func (a *Album) put(event string, data []byte) error {
	// Whoever reads meanwhile gets the old portrait or the new one, never half of one.
	fresh := filepath.Join(a.folder, "new")
	if err := os.WriteFile(fresh, data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(fresh, a.path(event)); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.order, event) {
		a.order = append(a.order, event)
	}
	for ; len(a.order) > AlbumMax; a.order = a.order[1:] {
		_ = os.Remove(a.path(a.order[0]))
	}
	close(a.added)
	a.added = make(chan struct{})
	return nil
}

// Find answers the portrait of an event, nil if there is none.
func (a *Album) Find(event string) []byte {
	if !eventID.MatchString(event) {
		return nil
	}
	data, err := os.ReadFile(a.path(event))
	if err != nil {
		return nil
	}
	return data
}

// Await is Find for a portrait that may just be being made: nil when the context ends first.
func (a *Album) Await(ctx context.Context, event string) []byte {
	for {
		a.mu.Lock()
		added := a.added
		a.mu.Unlock()
		if data := a.Find(event); data != nil {
			return data
		}
		select {
		case <-ctx.Done():
			return nil
		case <-added:
		}
	}
}
