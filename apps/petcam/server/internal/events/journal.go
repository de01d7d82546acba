package events

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Journal makes the numbers of the stream survive kill -9: each message is written here before any
// client sees it, so after a restart the next number is one more than the last that anyone can
// have seen, and the messages a client missed are still there to replay.
//
// One line a message, in one write(2):   crc32 TYPE SEQ JSON\n
// The first line is                      crc32 journal 1 EPOCH BOOT-ID\n
// A compacted journal continues with     crc32 state SEQ JSON\n   (State up to and with SEQ)
//
// Nothing is synced to the disk: the page cache outlives the process, and after a reboot the boot
// id differs and a new epoch begins, which makes clients resynchronise instead of trusting numbers.
type Journal struct {
	path  string
	file  *os.File
	size  int64 // of the complete lines
	lines int   // messages in the file
	epoch string
}

// Recovered is what an earlier process left in the journal.
type Recovered struct {
	Epoch    string
	Base     State     // what all messages up to and with BaseSeq added up to
	BaseSeq  uint64    // 0: nothing
	Messages []Message // from BaseSeq+1, without a gap
}

func (r *Recovered) seq() uint64 { return r.BaseSeq + uint64(len(r.Messages)) }

const journalName = "events.journal"

// OpenJournal continues the journal in the folder, or begins one. A journal that cannot be
// continued is replaced, with a new epoch, and why is logged: clients then resynchronise.
func OpenJournal(folder string, log *slog.Logger) (*Journal, Recovered, error) {
	j := &Journal{path: filepath.Join(folder, journalName)}
	boot := bootID()
	recovered, err := j.recover(boot)
	if err == nil {
		j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
		if err == nil {
			// What follows the last complete line was never sent to anyone.
			err = j.file.Truncate(j.size)
		}
		return j, recovered, err
	}
	if !errors.Is(err, os.ErrNotExist) {
		log.Warn("the event journal cannot be continued; numbering begins anew",
			"file", j.path, "reason", err)
	}
	j.epoch = newEpoch()
	recovered = Recovered{Epoch: j.epoch, Base: State{Open: []Event{}}}
	return j, recovered, j.rewrite(boot, 0, recovered.Base, nil)
}

// Append writes one message; when it returns nil a restarted process will know of it.
func (j *Journal) Append(m Message) error {
	line := journalLine(m.Type, strconv.FormatUint(m.Seq, 10), m.Data)
	if _, err := j.file.Write(line); err != nil {
		_ = j.file.Truncate(j.size)
		return fmt.Errorf("cannot write message %d to the event journal %s: %w. Free some space "+
			"there, or choose another place with --state-dir", m.Seq, j.path, err)
	}
	j.size += int64(len(line))
	j.lines++
	return nil
}

// Compact replaces the file by one with only these messages and the state before the first.
func (j *Journal) Compact(before State, seq uint64, keep []Message) error {
	return j.rewrite(bootID(), seq, before, keep)
}

// Lines counts the messages in the file.
func (j *Journal) Lines() int { return j.lines }

// Close leaves the file for the next process.
func (j *Journal) Close() error { return j.file.Close() }

func (j *Journal) rewrite(boot string, seq uint64, state State, keep []Message) error {
	var text bytes.Buffer
	text.Write(journalLine("journal", "1", []byte(j.epoch+" "+boot)))
	body, err := json.Marshal(state)
	if err != nil {
		return err
	}
	text.Write(journalLine("state", strconv.FormatUint(seq, 10), body))
	for _, m := range keep {
		text.Write(journalLine(m.Type, strconv.FormatUint(m.Seq, 10), m.Data))
	}
	fresh := j.path + ".new"
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot create the event journal: %w. Choose another place with "+
			"--state-dir", err)
	}
	if _, err = file.Write(text.Bytes()); err == nil {
		// Whoever is killed before this line leaves the old journal, complete; after it, the new.
		err = os.Rename(fresh, j.path)
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("cannot write the event journal: %w. Free some space there, or choose "+
			"another place with --state-dir", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.size, j.lines = file, int64(text.Len()), len(keep)
	return nil
}

func (j *Journal) recover(boot string) (Recovered, error) {
	file, err := os.Open(j.path)
	if err != nil {
		return Recovered{}, err
	}
	defer file.Close()
	r := Recovered{Base: State{Open: []Event{}}}
	lines := bufio.NewReader(file)
	for number := 1; ; number++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			// Without its line break it was being written when the process died.
			break
		}
		if err != nil {
			return Recovered{}, err
		}
		if err := j.recoverLine(number, line, boot, &r); err != nil {
			return Recovered{}, fmt.Errorf("line %d: %w", number, err)
		}
		j.size += int64(len(line))
	}
	if r.Epoch == "" {
		return Recovered{}, errors.New("it has no first line")
	}
	return r, nil
}

func (j *Journal) recoverLine(number int, line, boot string, r *Recovered) error {
	kind, word, body, err := parseJournalLine(line)
	if err != nil {
		return err
	}
	if number == 1 {
		epoch, writtenIn, _ := strings.Cut(string(body), " ")
		if kind != "journal" || word != "1" || writtenIn != boot {
			return errors.New("it was written before the last reboot or by another version")
		}
		j.epoch, r.Epoch = epoch, epoch
		return nil
	}
	seq, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		return err
	}
	if kind == "state" && number == 2 {
		r.BaseSeq = seq
		return json.Unmarshal(body, &r.Base)
	}
	if seq != r.seq()+1 {
		return fmt.Errorf("message %d follows %d", seq, r.seq())
	}
	r.Messages = append(r.Messages, Message{Seq: seq, Type: kind, Data: body})
	j.lines++
	return nil
}

func journalLine(kind, word string, body []byte) []byte {
	text := append([]byte(kind+" "+word+" "), body...)
	line := fmt.Appendf(nil, "%08x ", crc32.ChecksumIEEE(text))
	return append(append(line, text...), '\n')
}

func parseJournalLine(line string) (kind, word string, body []byte, err error) {
	sum, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	if want := fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text))); sum != want {
		return "", "", nil, fmt.Errorf("its checksum is %q, of its text %s", sum, want)
	}
	kind, rest, _ := strings.Cut(text, " ")
	word, data, _ := strings.Cut(rest, " ")
	return kind, word, []byte(data), nil
}

func newEpoch() string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // it never fails: it would have stopped the process
	return hex.EncodeToString(random[:])
}

// bootID changes at every boot; where the kernel hides it, journals are never continued.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown-" + newEpoch()
	}
	return strings.TrimSpace(string(id))
}
