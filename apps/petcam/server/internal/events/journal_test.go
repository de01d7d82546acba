package events

// Goal: after kill -9 at any moment the next process gives out no id twice and forgets none.
// Method: a real child process publishes and prints each id once it is told to clients; the parent
// kills it at a random point, over and over, on one journal. Torn and damaged files are made by
// hand.

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const childFolder = "PETCAM_TEST_JOURNAL_CHILD"

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		publishForever(folder)
	}
	os.Exit(m.Run())
}

// publishForever is the child: what it prints is what a client has seen.
func publishForever(folder string) {
	journal, recovered, err := OpenJournal(folder, quiet())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	hub, err := NewHub(journal, recovered, quiet())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	client := hub.Join("")
	for i := 0; ; i++ {
		text := strings.Repeat("x", i%200)
		if _, err := hub.Publish(TypeStatus, func(string) any { return text }); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(parseStream(string(<-client.Queue))[0].id)
	}
}

func TestKilledServerNeitherLosesNorDoublesAnId(t *testing.T) {
	folder := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	epoch, seen := "", uint64(0)
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		// All rounds together write enough to compact the journal on the way.
		stopAfter := 1 + random.IntN(600)
		ids := killAfter(t, folder, stopAfter)
		for _, id := range ids {
			of, number, _ := strings.Cut(id, "-")
			seq, err := strconv.ParseUint(number, 10, 64)
			if err != nil {
				t.Fatalf("seed %d, round %d: %s", seed, round, id)
			}
			if epoch == "" {
				epoch, seen = of, seq-1
			}
			// A number that was journalled but not seen may be skipped by the client that died
			// with the server; a new client never sees it again, and never one it has seen.
			if of != epoch || seq <= seen {
				t.Fatalf("seed %d, round %d: %s after %s-%d", seed, round, id, epoch, seen)
			}
			seen = seq
		}
		// What a client asks for after the crash is there, without a hole.
		last := ids[len(ids)-1]
		hub := openHub(t, folder)
		position := hub.Position()
		for i, m := range parseStream(string(hub.Join(last).Greeting)) {
			if want := fmt.Sprintf("%s-%d", epoch, seen+1+uint64(i)); m.id != want {
				t.Fatalf("seed %d, round %d: replayed %+v, want %s", seed, round, m, want)
			}
			if i > 1 {
				t.Fatalf("seed %d, round %d: one message can be unseen, not %d", seed, round, i)
			}
		}
		hub.Close()
		_, number, _ := strings.Cut(position, "-")
		seen, _ = strconv.ParseUint(number, 10, 64)
	}
}

// killAfter runs the child until it has printed so many ids, kills it, and answers all it printed.
func killAfter(t *testing.T, folder string, lines int) []string {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childFolder+"="+folder)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		ids = append(ids, scanner.Text())
		if len(ids) == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // it was killed
	if len(ids) < lines {
		t.Fatalf("the child ended by itself: %q", ids)
	}
	return ids
}

func TestJournalStaysShortAndKeepsEveryOpenEvent(t *testing.T) {
	folder := t.TempDir()
	hub := openHub(t, folder)
	var cat Event
	if _, err := hub.Publish(TypeEvent, func(id string) any {
		cat = Event{ID: id, Label: "cat"}
		return Lifecycle{Kind: "new", After: cat}
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * journalMax {
		publishStatus(t, hub, fmt.Sprint(i))
	}
	if lines := hub.journal.Lines(); lines > journalMax {
		t.Errorf("the journal has %d lines, at most %d", lines, journalMax)
	}
	position := hub.Position()
	hub.Close()
	again := openHub(t, folder)
	if again.Position() != position {
		t.Errorf("continues at %s, want %s", again.Position(), position)
	}
	if open := again.State().Open; len(open) != 1 || open[0].ID != cat.ID {
		t.Errorf("open events %+v, want the cat that never left", open)
	}
}

func TestHalfWrittenLineIsCutOff(t *testing.T) {
	folder := t.TempDir()
	hub := openHub(t, folder)
	id := publishStatus(t, hub, "whole")
	hub.Close()
	path := filepath.Join(folder, journalName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := journalLine(TypeStatus, "2", []byte(`{"is":"torn"}`))
	for cut := 1; cut < len(torn); cut += 7 {
		text := append(append([]byte{}, whole...), torn[:cut]...)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		again := openHub(t, folder)
		if again.Position() != id {
			t.Fatalf("cut at %d: continues at %s, want %s", cut, again.Position(), id)
		}
		if next := publishStatus(t, again, "next"); next != strings.TrimSuffix(id, "1")+"2" {
			t.Fatalf("cut at %d: next id %s after %s", cut, next, id)
		}
		again.Close()
		if third := openHub(t, folder); third.Position() == id {
			t.Fatalf("cut at %d: the message behind the torn line is lost", cut)
		}
	}
}

func TestJournalThatCannotBeTrustedBeginsANewEpoch(t *testing.T) {
	original := func(t *testing.T) (folder, path, id string, text []byte) {
		folder = t.TempDir()
		hub := openHub(t, folder)
		for i := range 3 {
			id = publishStatus(t, hub, fmt.Sprint(i))
		}
		hub.Close()
		path = filepath.Join(folder, journalName)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return folder, path, id, text
	}
	lines := func(text []byte) []string { return strings.SplitAfter(string(text), "\n") }
	for name, damage := range map[string]func([]byte) string{
		"a flipped bit": func(b []byte) string { b[len(b)/2] ^= 4; return string(b) },
		"a line too few": func(b []byte) string {
			l := lines(b)
			return strings.Join(append(l[:3:3], l[4:]...), "")
		},
		"another boot": func(b []byte) string {
			l := lines(b)
			l[0] = string(journalLine("journal", "1", []byte("00000000 another-boot")))
			return strings.Join(l, "")
		},
		"a newer version": func(b []byte) string {
			l := lines(b)
			l[0] = string(journalLine("journal", "2", []byte("00000000 "+bootID())))
			return strings.Join(l, "")
		},
		"garbage": func([]byte) string { return "\x00\xff garbage\n" },
		"empty":   func([]byte) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			folder, path, id, text := original(t)
			if err := os.WriteFile(path, []byte(damage(text)), 0o600); err != nil {
				t.Fatal(err)
			}
			hub := openHub(t, folder)
			if got := kinds(parseStream(string(hub.Join(id).Greeting))); got != "resync snapshot" {
				t.Errorf("greeted with %q, want resync and snapshot", got)
			}
			publishStatus(t, hub, "goes on")
		})
	}
}
