package signalbox_test

// Semaphore sets and named semaphores: each promise that Go can break, on the kernel's own objects,
// which are private or named after this process.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

func newSet(t *testing.T, initial ...uint16) *signalbox.SemaphoreSet {
	t.Helper()
	set := must[*signalbox.SemaphoreSet](t)(
		signalbox.CreateSemaphoreSet(signalbox.PrivateKey, initial, 0))
	t.Cleanup(func() {
		if err := set.Remove(); err != nil && !errors.Is(err, signalbox.ErrRemoved) &&
			!errors.Is(err, signalbox.ErrClosed) {
			t.Error(err)
		}
		set.Close()
	})
	return set
}

func expectValue(t *testing.T, set *signalbox.SemaphoreSet, index uint16, expected int) {
	t.Helper()
	if value := must[int](t)(set.Value(index)); value != expected {
		t.Fatalf("semaphore %d is %d, not %d", index, value, expected)
	}
}

func expectNil(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSetOperationsAreOneStep(t *testing.T) {
	set := newSet(t, 1, 0)
	both := []signalbox.SemOp{signalbox.Take(0, 1), signalbox.Take(1, 1)}
	if must[bool](t)(set.TryApply(both...)) {
		t.Fatal("it could not")
	}
	expectValue(t, set, 0, 1)
	expectNil(t, set.Apply(within(t), signalbox.Give(1, 3)))
	expectNil(t, set.Apply(context.Background(), both...))
	expectValue(t, set, 1, 2)
	expectNil(t, set.Apply(within(t), signalbox.UntilZero(0)))
	expectNil(t, set.SetValue(0, 7))
	expectValue(t, set, 0, 7)
	if users := must[signalbox.SemaphoreUsers](t)(set.Users(1)); users.LastPID != os.Getpid() {
		t.Fatalf("%+v", users)
	}
	expectError(t, set.Apply(within(t), signalbox.Take(9, 1)), signalbox.ErrOutOfRange)
	expectError(t, set.Apply(within(t)), signalbox.ErrBadArgument)
	many := make([]signalbox.SemOp, 501)
	expectError(t, set.Apply(within(t), many...), signalbox.ErrTooLarge, "SEMOPM")
	expectError(t, set.SetValue(0, 40000), signalbox.ErrOutOfRange)
}

// tooWide is a number whose lower half alone is `low`, as an int of half the size would see it.
func tooWide(low int) int { return 1<<(strconv.IntSize/2) + low }

func TestFewerThanOneUnitIsNoStep(t *testing.T) {
	set := newSet(t, 3)
	for _, count := range []int16{0, -2, -32768} {
		for _, op := range []signalbox.SemOp{signalbox.Take(0, count), signalbox.Give(0, count)} {
			if err := set.Apply(within(t), op); !errors.Is(err, signalbox.ErrBadArgument) {
				t.Errorf("%d units: %v", count, err)
			}
			if _, err := set.TryApply(op); !errors.Is(err, signalbox.ErrBadArgument) {
				t.Errorf("%d units: %v", count, err)
			}
		}
	}
	expectValue(t, set, 0, 3)
}

func TestNumbersTooWideForASetAreNotCutShort(t *testing.T) {
	key := must[int32](t)(signalbox.SysvKeyOf(t.TempDir(), 1))
	set := must[*signalbox.SemaphoreSet](t)(signalbox.CreateSemaphoreSet(key, []uint16{3}, 0))
	defer set.Close()
	defer set.Remove()
	expectError(t, set.SetValue(0, tooWide(5)), signalbox.ErrOutOfRange)
	expectError(t, set.SetValue(0, 5-tooWide(0)), signalbox.ErrOutOfRange)
	expectValue(t, set, 0, 3)
	_, err := signalbox.OpenSemaphoreSet(key, tooWide(1), 0)
	expectError(t, err, signalbox.ErrBadArgument)
	_, err = signalbox.AttachSemaphoreSet(tooWide(set.ID()))
	expectError(t, err, signalbox.ErrNotFound)
	_, err = signalbox.AttachSemaphoreSet(set.ID() - tooWide(0))
	expectError(t, err, signalbox.ErrNotFound)
}

func TestAllCountsOfASetAtOnce(t *testing.T) {
	counts := make([]uint16, 20) // more than Values has room for at first
	counts[19] = 7
	set := newSet(t, counts...)
	if values := must[[]uint16](t)(set.Values()); !slices.Equal(values, counts) {
		t.Fatal(values)
	}
	counts[0] = 5
	expectNil(t, set.SetValues(counts))
	expectError(t, set.SetValues(counts[1:]), signalbox.ErrBadArgument)
	counts[1] = 40000
	expectError(t, set.SetValues(counts), signalbox.ErrOutOfRange)
	counts[1] = 0
	if values := must[[]uint16](t)(set.Values()); !slices.Equal(values, counts) {
		t.Fatal(values)
	}
	facts := must[signalbox.SemaphoreSetFacts](t)(set.Facts())
	if facts.Count != 20 || facts.Access.Mode != 0o600 || facts.Access.Key != signalbox.PrivateKey ||
		facts.Access.OwnerUID != uint32(os.Getuid()) || facts.LastChange == 0 {
		t.Fatalf("%+v", facts)
	}
	expectNil(t, set.Remove())
	_, err := set.Values()
	expectError(t, err, signalbox.ErrRemoved)
	_, err = set.Facts()
	expectError(t, err, signalbox.ErrRemoved)
	_, err = signalbox.OpenSemaphoreSetAsIs(signalbox.PrivateKey)
	expectError(t, err, signalbox.ErrBadArgument)
}

func TestContextEndsAWaitForASet(t *testing.T) {
	set := newSet(t, 0)
	late, cancelLate := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelLate()
	err := set.Apply(late, signalbox.Take(0, 1))
	expectError(t, err, signalbox.ErrTimedOut, "semaphore set")
	expectError(t, err, context.DeadlineExceeded)

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- set.Apply(ctx, signalbox.Take(0, 1)) }()
	eventually(t, "somebody waits", func() bool {
		return must[signalbox.SemaphoreUsers](t)(set.Users(0)).WaitingToTake == 1
	})
	cancel()
	err = <-ended
	expectError(t, err, signalbox.ErrInterrupted)
	expectError(t, err, context.Canceled)
	expectError(t, set.Apply(ctx, signalbox.Give(0, 1)), signalbox.ErrInterrupted)
	expectValue(t, set, 0, 0)
}

// More waits than Go has places to run goroutines: those that wait take none.
func TestWaitsForASetLeaveTheSchedulerAlone(t *testing.T) {
	set := newSet(t, 0)
	const waits = 40
	ended := make(chan error, waits)
	for range waits {
		go func() { ended <- set.Apply(within(t), signalbox.Take(0, 1)) }()
	}
	eventually(t, "all wait", func() bool {
		return must[signalbox.SemaphoreUsers](t)(set.Users(0)).WaitingToTake == waits
	})
	expectNil(t, set.Apply(within(t), signalbox.Give(0, waits)))
	for range waits {
		expectNil(t, <-ended)
	}
}

func TestRemovingAndClosingASetThatIsWaitedFor(t *testing.T) {
	set := newSet(t, 0)
	other := must[*signalbox.SemaphoreSet](t)(signalbox.AttachSemaphoreSet(set.ID()))
	defer other.Close()
	ended := make(chan error)
	for range 2 {
		go func() { ended <- set.Apply(within(t), signalbox.Take(0, 1)) }()
	}
	eventually(t, "both wait", func() bool {
		return must[signalbox.SemaphoreUsers](t)(other.Users(0)).WaitingToTake == 2
	})
	set.Close()
	expectError(t, set.Apply(within(t), signalbox.Give(0, 1)), signalbox.ErrClosed)
	expectNil(t, other.Apply(within(t), signalbox.Give(0, 1)))
	expectNil(t, <-ended)
	expectNil(t, other.Remove())
	expectError(t, <-ended, signalbox.ErrRemoved)
	expectNil(t, set.Close())
}

func TestSectionOfASet(t *testing.T) {
	set := newSet(t, 1)
	leave := must[func() error](t)(set.Enter(within(t), 0))
	expectValue(t, set, 0, 0)
	inside, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := set.Enter(inside, 0); !errors.Is(err, signalbox.ErrTimedOut) {
		t.Fatal(err)
	}
	expectNil(t, leave())
	expectNil(t, leave())
	expectValue(t, set, 0, 1)

	// Who dies inside has left.
	child := startRole(t, "die inside", fmt.Sprint(set.ID()))
	if err := child.Wait(); err == nil || child.ProcessState.Sys().(syscall.WaitStatus).Signal() !=
		syscall.SIGKILL {
		t.Fatal(err)
	}
	expectValue(t, set, 0, 1)
}

func roleDieInside(id string) error {
	var number int
	if _, err := fmt.Sscan(id, &number); err != nil {
		return err
	}
	set, err := signalbox.AttachSemaphoreSet(number)
	if err != nil {
		return err
	}
	if _, err := set.Enter(context.Background(), 0); err != nil {
		return err
	}
	if value, err := set.Value(0); err != nil || value != 0 {
		return fmt.Errorf("inside the count is %d, %w", value, err)
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func TestSetIsFoundByItsKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if _, err := signalbox.SysvKeyOf(file, 1); !errors.Is(err, signalbox.ErrNotFound) {
		t.Fatal(err)
	}
	expectNil(t, os.WriteFile(file, nil, 0o600))
	if must[int32](t)(signalbox.SysvKeyOf(file, 1)) == must[int32](t)(signalbox.SysvKeyOf(file, 2)) {
		t.Fatal("the project makes no difference")
	}
	key := int32(0x5b300000 ^ os.Getpid())
	_, err := signalbox.OpenSemaphoreSet(key, 0, 0)
	expectError(t, err, signalbox.ErrNotFound)
	made := must[*signalbox.SemaphoreSet](t)(signalbox.CreateSemaphoreSet(key, []uint16{3}, 0))
	defer made.Remove()
	_, err = signalbox.CreateSemaphoreSet(key, []uint16{3}, 0)
	expectError(t, err, signalbox.ErrAlreadyExists)
	opened := must[*signalbox.SemaphoreSet](t)(
		signalbox.OpenOrCreateSemaphoreSet(key, []uint16{9}, 0, -1))
	expectValue(t, opened, 0, 3)
	_, err = signalbox.OpenSemaphoreSet(key, 5, 0)
	expectError(t, err, signalbox.ErrBadArgument)
}

func TestNamedSemaphore(t *testing.T) {
	name := fmt.Sprintf("/sbx-go-test-%d", os.Getpid())
	_, err := signalbox.OpenNamedSemaphore(name)
	expectError(t, err, signalbox.ErrNotFound)
	_, err = signalbox.CreateNamedSemaphore("printer", 1, 0)
	expectError(t, err, signalbox.ErrBadName)
	_, err = signalbox.CreateNamedSemaphore("/a\x00b", 1, 0)
	expectError(t, err, signalbox.ErrBadName)
	made := must[*signalbox.NamedSemaphore](t)(signalbox.CreateNamedSemaphore(name, 1, 0))
	defer signalbox.UnlinkNamedSemaphore(name)
	other := must[*signalbox.NamedSemaphore](t)(signalbox.OpenOrCreateNamedSemaphore(name, 9, 0))
	expectNil(t, other.Wait(within(t)))
	if must[bool](t)(made.TryWait()) {
		t.Fatal("there was none")
	}

	late, cancelLate := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelLate()
	expectError(t, made.Wait(late), signalbox.ErrTimedOut, name)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- made.Wait(ctx) }()
	cancel()
	expectError(t, <-ended, context.Canceled)
	go func() { ended <- made.Wait(context.Background()) }()
	expectNil(t, other.Post())
	expectNil(t, <-ended)
	if must[int](t)(made.Value()) != 0 {
		t.Fatal("a unit was taken by a wait that failed")
	}
	made.Close()
	expectError(t, made.Post(), signalbox.ErrClosed)
	expectNil(t, signalbox.UnlinkNamedSemaphore(name))
	expectError(t, signalbox.UnlinkNamedSemaphore(name), signalbox.ErrNotFound)
	expectNil(t, other.Close())
}
