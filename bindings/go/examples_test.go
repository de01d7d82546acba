package signalbox_test

// The programs in examples/go, built and run as their readers would.

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
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

// exampleDir is a place for topics where a program started by hand cannot meddle.
func exampleDir(t *testing.T) string {
	t.Helper()
	dir := must[string](t)(os.MkdirTemp("/dev/shm", "signalbox-go-example-"))
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
