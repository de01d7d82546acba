package history

// Goal: what happened can be asked for, survives restarts and torn writes, and never outgrows its
// bounds.

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"signalbox.dev/petcam/server/internal/events"
)

var generous = Retention{Days: 30, Bytes: 1 << 20}

func open(t *testing.T, folder string, keep Retention) *Store {
	t.Helper()
	store, err := Open(folder, func() Retention { return keep },
		slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func event(n int, label string, zones ...string) events.Event {
	return events.Event{ID: fmt.Sprintf("0badcafe-%d", n), Label: label, Zones: zones,
		Start: int64(n) * 1000}
}

func say(t *testing.T, s *Store, seq int, kind string, e events.Event) {
	t.Helper()
	change := events.Lifecycle{Kind: kind, After: e}
	if err := s.Append(fmt.Sprintf("0badcafe-%d", seq), change); err != nil {
		t.Fatal(err)
	}
}

func ids(found []events.Event) string {
	out := ""
	for _, e := range found {
		out += e.ID[len("0badcafe-"):] + " "
	}
	return out
}

func TestQueriesAnswerTheLastWordOnEachEventYoungestFirst(t *testing.T) {
	s := open(t, t.TempDir(), generous)
	cat := event(1, "cat")
	say(t, s, 1, "new", cat)
	dog := event(2, "dog", "sofa")
	say(t, s, 2, "new", dog)
	cat.Zones = []string{"bowl"}
	say(t, s, 3, "update", cat)
	cat.End = 5000
	say(t, s, 4, "end", cat)
	say(t, s, 6, "new", event(6, "cat"))
	for name, test := range map[string]struct {
		query Query
		want  string
	}{
		"all":                     {Query{}, "6 2 1 "},
		"by label":                {Query{Label: "cat"}, "6 1 "},
		"by zone":                 {Query{Zone: "bowl"}, "1 "},
		"limited":                 {Query{Limit: 2}, "6 2 "},
		"since before an end":     {Query{Since: 4000}, "6 2 1 "},
		"since after an end":      {Query{Since: 5001}, "6 2 "},
		"by label and zone":       {Query{Label: "dog", Zone: "sofa"}, "2 "},
		"by what never was there": {Query{Label: "fox"}, ""},
	} {
		if got := ids(s.Find(test.query)); got != test.want {
			t.Errorf("%s: events %q, want %q", name, got, test.want)
		}
	}
	if found := s.Find(Query{Zone: "bowl"}); found[0].End != 5000 {
		t.Errorf("the cat's end is %d, want 5000", found[0].End)
	}
}

func TestEventThatSpansMidnightIsOneEvent(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, generous)
	day := time.Date(2026, 11, 22, 23, 59, 0, 0, time.Local)
	s.now = func() time.Time { return day }
	cat := event(1, "cat")
	say(t, s, 1, "new", cat)
	day = day.Add(2 * time.Minute)
	cat.End = 9000
	say(t, s, 2, "end", cat)
	if files := s.files(); len(files) != 2 {
		t.Fatalf("files %q, want one for each day", files)
	}
	found := s.Find(Query{})
	if len(found) != 1 || found[0].End != 9000 {
		t.Errorf("found %+v, want one event that has ended", found)
	}
}

func TestRetentionByDaysAndBytes(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, Retention{Days: 3, Bytes: 1 << 20})
	day := time.Date(2026, 11, 1, 12, 0, 0, 0, time.Local)
	s.now = func() time.Time { return day }
	for n := range 10 {
		say(t, s, n, "new", event(n, "cat"))
		day = day.AddDate(0, 0, 1)
	}
	if files := s.files(); len(files) != 4 || files[0] != "2026-11-07-00000.jsonl" {
		t.Errorf("files %q, want those of the last three days and today", files)
	}

	s = open(t, folder, Retention{Days: 30, Bytes: 16 << 10})
	s.now = func() time.Time { return day }
	for n := range 2000 {
		say(t, s, n, "new", event(n, "cat"))
	}
	var total int64
	for _, name := range s.files() {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	// The page that is being written is on top of the bound, a sixteenth of it.
	if total > 17<<10+200 || total < 12<<10 {
		t.Errorf("%d bytes are kept, the bound is %d", total, 16<<10)
	}
	if found := s.Find(Query{Limit: 1}); len(found) != 1 || found[0].ID != "0badcafe-1999" {
		t.Errorf("the youngest event is %+v", found)
	}
}

func TestLineTornByAKillCostsOnlyItself(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, generous)
	say(t, s, 1, "new", event(1, "cat"))
	s.Close()
	path := filepath.Join(folder, s.files()[0])
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"id":"0badcafe-2","kind":"new","af`); err != nil {
		t.Fatal(err)
	}
	file.Close()
	again := open(t, folder, generous)
	say(t, again, 3, "new", event(3, "cat"))
	if got := ids(again.Find(Query{})); got != "3 1 " {
		t.Errorf("events %q, want those before and behind the torn line", got)
	}
}

func TestCatchUpAddsWhatTheJournalKnowsAndWeDoNot(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder, generous)
	say(t, s, 1, "new", event(1, "cat"))
	var journal []events.Message
	for seq := 1; seq <= 4; seq++ {
		body, err := json.Marshal(events.Lifecycle{Kind: "new", After: event(seq, "cat")})
		if err != nil {
			t.Fatal(err)
		}
		journal = append(journal, events.Message{Seq: uint64(seq), Type: events.TypeEvent, Data: body})
	}
	journal[2].Type = events.TypeStatus
	for range 2 { // the second time there is nothing to add
		if err := s.CatchUp("0badcafe", journal); err != nil {
			t.Fatal(err)
		}
		if got := ids(s.Find(Query{})); got != "4 2 1 " {
			t.Fatalf("events %q, want 4 2 1", got)
		}
	}
	if lines := len(s.lastLines(s.files()[0])); lines != 3 {
		t.Errorf("%d events are in the file, want 3", lines)
	}
}
