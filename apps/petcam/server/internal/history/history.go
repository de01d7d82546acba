// Package history keeps what happened, as JSON lines in one file a day, for weeks.
//
// Every lifecycle message of an event is one line that holds the whole event, so the last line of
// an event is all there is to know about it, and a file cut off anywhere is still good. Files are
// called 2026-11-22-00000.jsonl; a busy day has several.
package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox.dev/petcam/server/internal/events"
)

// Retention is how much is kept; the oldest files go first.
type Retention struct {
	Days  int
	Bytes int64
}

// filesPerBudget: a file is closed at this fraction of Retention.Bytes, so that dropping the oldest
// file never drops much.
const filesPerBudget = 16

// Store is safe for several goroutines.
type Store struct {
	folder    string
	retention func() Retention
	log       *slog.Logger
	now       func() time.Time

	mu   sync.Mutex
	file *os.File
	name string
	size int64
}

// line is one lifecycle message.
type line struct {
	ID    string       `json:"id"` // of the message
	Kind  string       `json:"kind"`
	After events.Event `json:"after"`
}

// Open uses the folder, which is made if it is missing.
func Open(folder string, retention func() Retention, log *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the folder for the history: %w", err)
	}
	s := &Store{folder: folder, retention: retention, log: log, now: time.Now}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s, s.prune()
}

// CatchUp adds the messages that an earlier process had sent but not yet written here when it was
// killed: those of the journal behind the last line.
func (s *Store) CatchUp(epoch string, messages []events.Message) error {
	last := s.lastSeq(epoch)
	for _, m := range messages {
		if m.Type != events.TypeEvent || m.Seq <= last {
			continue
		}
		var change events.Lifecycle
		if err := json.Unmarshal(m.Data, &change); err != nil {
			return err
		}
		if err := s.Append(m.ID(epoch), change); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) lastSeq(epoch string) uint64 {
	var last uint64
	files := s.files()
	// The newest messages may span a midnight, but not two.
	for _, name := range files[max(0, len(files)-2):] {
		s.scan(name, func(l line) {
			of, number, _ := strings.Cut(l.ID, "-")
			if seq, err := strconv.ParseUint(number, 10, 64); err == nil && of == epoch {
				last = max(last, seq)
			}
		})
	}
	return last
}

// Append writes one lifecycle message.
func (s *Store) Append(id string, change events.Lifecycle) error {
	text, err := json.Marshal(line{ID: id, Kind: change.Kind, After: change.After})
	if err != nil {
		return err
	}
	text = append(text, '\n')
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.turnPage(); err != nil {
		return err
	}
	written, err := s.file.Write(text)
	s.size += int64(written)
	if err != nil {
		return fmt.Errorf("cannot write to the history %s: %w", s.name, err)
	}
	return nil
}

// turnPage makes sure that the open file is today's and not too long.
func (s *Store) turnPage() error {
	day := s.now().Format(time.DateOnly)
	full := s.size >= max(1, s.retention().Bytes/filesPerBudget)
	if s.file != nil && strings.HasPrefix(s.name, day) && !full {
		return nil
	}
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	if err := s.prune(); err != nil {
		return err
	}
	for number := s.lastPage(day); ; number++ {
		name := fmt.Sprintf("%s-%05d.jsonl", day, number)
		path := filepath.Join(s.folder, name)
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("cannot write the history: %w", err)
		}
		info, err := file.Stat()
		if err == nil && info.Size() < max(1, s.retention().Bytes/filesPerBudget) {
			s.file, s.name, s.size = file, name, info.Size()
			return s.mendLastLine(path)
		}
		file.Close()
		if err != nil {
			return err
		}
	}
}

// lastPage is the number of the day's newest file: older ones may be gone already, and a new file
// must not take the place of one before it.
func (s *Store) lastPage(day string) int {
	last := 0
	for _, name := range s.files() {
		rest, today := strings.CutPrefix(strings.TrimSuffix(name, ".jsonl"), day+"-")
		if number, err := strconv.Atoi(rest); today && err == nil {
			last = number
		}
	}
	return last
}

// mendLastLine ends a line that an earlier process was killed in, so that the next one is whole.
func (s *Store) mendLastLine(path string) error {
	if s.size == 0 {
		return nil
	}
	reader, err := os.Open(path)
	if err != nil {
		return err
	}
	defer reader.Close()
	var last [1]byte
	if _, err := reader.ReadAt(last[:], s.size-1); err != nil || last[0] == '\n' {
		return err
	}
	written, err := s.file.Write([]byte{'\n'})
	s.size += int64(written)
	return err
}

// prune removes the oldest files until days and bytes are within bounds.
func (s *Store) prune() error {
	keep := s.retention()
	oldest := s.now().AddDate(0, 0, -keep.Days).Format(time.DateOnly)
	var total int64
	files := s.files()
	for _, name := range slices.Backward(files) {
		path := filepath.Join(s.folder, name)
		info, err := os.Stat(path)
		if err != nil {
			continue // somebody removed it: that is allowed
		}
		total += info.Size()
		if total <= keep.Bytes && name >= oldest {
			continue
		}
		s.log.Info("history removed", "file", name, "days_kept", keep.Days, "bytes_kept", keep.Bytes)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot remove old history: %w", err)
		}
	}
	return nil
}

// files are the names of ours in the folder, oldest first.
func (s *Store) files() []string {
	found, err := filepath.Glob(filepath.Join(s.folder, "????-??-??-?????.jsonl"))
	if err != nil {
		return nil
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	slices.Sort(found)
	return found
}

// Query selects events. The zero value of a field selects all.
type Query struct {
	Since int64 // milliseconds since 1970; events that lasted until then or began later
	Label string
	Zone  string // where the subject has been
	Limit int
}

// LimitMax is as many events as one query answers.
const LimitMax = 500

// Find answers events, the youngest first.
func (s *Store) Find(q Query) []events.Event {
	if q.Limit <= 0 || q.Limit > LimitMax {
		q.Limit = LimitMax
	}
	seen := map[string]bool{}
	var found []events.Event
	for _, name := range slices.Backward(s.files()) {
		if len(found) >= q.Limit || q.Since > 0 && s.endsBefore(name, q.Since) {
			break
		}
		for _, event := range s.lastLines(name) {
			if !seen[event.ID] && q.selects(event) {
				found = append(found, event)
			}
			// A later file has said how it went on, so what an older one says is stale.
			seen[event.ID] = true
		}
	}
	slices.SortStableFunc(found, func(a, b events.Event) int { return int(b.Start - a.Start) })
	return found[:min(len(found), q.Limit)]
}

func (q Query) selects(e events.Event) bool {
	if e.End != 0 && e.End < q.Since || q.Label != "" && e.Label != q.Label {
		return false
	}
	return q.Zone == "" || slices.Contains(e.Zones, q.Zone)
}

// endsBefore: the day of the file was over before the moment.
func (s *Store) endsBefore(name string, since int64) bool {
	day, err := time.ParseInLocation(time.DateOnly, name[:len(time.DateOnly)], time.Local)
	return err == nil && day.AddDate(0, 0, 1).UnixMilli() < since
}

// lastLines answers the last word on each event of one file.
func (s *Store) lastLines(name string) map[string]events.Event {
	last := map[string]events.Event{}
	s.scan(name, func(l line) { last[l.After.ID] = l.After })
	return last
}

// scan calls for each whole line; a line that is damaged is passed over.
func (s *Store) scan(name string, each func(line)) {
	file, err := os.Open(filepath.Join(s.folder, name))
	if err != nil {
		return
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for {
		text, err := lines.ReadBytes('\n')
		var l line
		if len(text) > 0 && json.Unmarshal(text, &l) == nil {
			each(l)
		}
		if err != nil {
			if err != io.EOF {
				s.log.Warn("history cannot be read", "file", name, "reason", err)
			}
			return
		}
	}
}

// Close ends writing.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}
