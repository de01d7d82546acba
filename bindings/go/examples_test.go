package signalbox_test

// The programs in examples/go, built and run as their readers would.

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

const examplesDir = "../../examples/go"

func buildExamples(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command to build the examples with")
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+"/", "./...")
	build.Dir = examplesDir
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return bin
}

// example is a program that runs until the test ends.
type example struct {
	*exec.Cmd
	in    io.WriteCloser
	lines chan string
}

func startExample(t *testing.T, dir, program string, arguments ...string) *example {
	t.Helper()
	e := &example{Cmd: exec.Command(program, arguments...), lines: make(chan string, 100)}
	e.Env = append(os.Environ(), "SIGNALBOX_DIR="+dir)
	e.Stderr = os.Stderr
	e.in = must[io.WriteCloser](t)(e.StdinPipe())
	out := must[io.ReadCloser](t)(e.StdoutPipe())
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			select {
			case e.lines <- scanner.Text():
			default: // nobody asks any more
			}
		}
	}()
	t.Cleanup(func() {
		e.Process.Kill()
		<-drained
		e.Wait()
	})
	return e
}

func (e *example) expect(t *testing.T, pattern string) {
	t.Helper()
	end := time.After(watchdog)
	for {
		select {
		case line := <-e.lines:
			if regexp.MustCompile("^" + pattern + "$").MatchString(line) {
				return
			}
		case <-end:
			t.Fatalf("%s never printed %s", e.Path, pattern)
		}
	}
}

func TestExamples(t *testing.T) {
	bin := buildExamples(t)
	t.Run("publish and subscribe", func(t *testing.T) {
		dir := exampleDir(t)
		subscriber := startExample(t, dir, bin+"/subscribe")
		startExample(t, dir, bin+"/publish")
		subscriber.expect(t, `go says: pose \d+ at x = [0-9.]+`)
		if err := subscriber.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		subscriber.expect(t, "0 lost")
	})
	t.Run("readme", func(t *testing.T) {
		dir := exampleDir(t)
		subscriber := startExample(t, dir, bin+"/readme")
		publisher := startExample(t, dir, bin+"/readme", "publish")
		if _, err := io.WriteString(publisher.in, "1 2 3.5\n"); err != nil {
			t.Fatal(err)
		}
		subscriber.expect(t, "1 2 3.5")
	})
	t.Run("discover", func(t *testing.T) {
		program := startExample(t, exampleDir(t), bin+"/discover")
		for _, line := range []string{"arm/pose: discover has published 1",
			"leg/pose: discover, which is dead, has published 1", "topic_appeared leg/pose",
			"topic_appeared arm/pose", "publisher_joined arm/pose", "publisher_left arm/pose",
			"topic_vanished arm/pose"} {
			program.expect(t, line)
		}
	})
	t.Run("spool", func(t *testing.T) { spoolOutlivesItsWorkers(t, bin+"/spool") })
	t.Run("exclusive", func(t *testing.T) {
		output, err := exec.Command(bin + "/exclusive").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		slices.Sort(lines)
		whole := "(child 1) (child 2) (child 3) (parent 1) (parent 2) (parent 3) done"
		if strings.Join(lines, " ") != whole {
			t.Fatalf("%s", output)
		}
	})
}

// More jam than there are printers: a unit that did not come back would hang the rest.
func spoolOutlivesItsWorkers(t *testing.T, program string) {
	name := "spool-" + strconv.Itoa(os.Getpid())
	folder := t.TempDir() // where the lock is
	run := func(arguments ...string) (string, error) {
		cmd := exec.CommandContext(within(t), program, append([]string{name}, arguments...)...)
		cmd.Dir = folder
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		output, err := cmd.CombinedOutput()
		return string(output), err
	}
	t.Cleanup(func() { signalbox.UnlinkPosixQueue("/" + name) }) // if it failed
	for _, job := range [][]string{{"30", "fire"}, {"20", "jam"}, {"20", "jam"}, {"15", "jam"},
		{"10", "sweep"}, {"0", "go home"}} {
		if output, err := run(job...); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	file := must[*os.File](t)(os.Create(filepath.Join(folder, name+".lock")))
	defer file.Close()
	lock := must[*signalbox.FileLock](t)(
		signalbox.TryLockFile(file, signalbox.FileLockOptions{}))
	if output, err := run(); err == nil || !strings.Contains(output, "somebody spools there already") {
		t.Fatalf("%v\n%s", err, output)
	}
	expectNil(t, lock.Release())
	output, err := run()
	lines := strings.Split(strings.TrimSpace(output), "\n")
	slices.Sort(lines)
	dead := "a worker was killed"
	if err != nil || !slices.Equal(lines, []string{dead, dead, dead, "printed fire",
		"printed sweep"}) {
		t.Fatalf("%v\n%s", err, output)
	}
	_, err = signalbox.OpenPosixQueue("/"+name, signalbox.QueueBoth)
	expectError(t, err, signalbox.ErrNotFound)
}

// exampleDir is a place for topics where a program started by hand cannot meddle.
func exampleDir(t *testing.T) string {
	t.Helper()
	dir := must[string](t)(os.MkdirTemp("/dev/shm", "signalbox-go-example-"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
