package signalbox_test

// A WaitSet reports a Mutex or Semaphore exactly while taking it would succeed. Holders are this
// program in a role, which releases or is killed, and goroutines.

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

func openUnits(t *testing.T, unitsMax int) *signalbox.Semaphore {
	t.Helper()
	semaphore := must[*signalbox.Semaphore](t)(
		signalbox.OpenSemaphore(topicOf(t), unitsMax, signalbox.SemaphoreOptions{}))
	t.Cleanup(func() { semaphore.Close() })
	return semaphore
}

func watch(t *testing.T, set *signalbox.WaitSet, source signalbox.Watchable, key uint64,
	period time.Duration) *signalbox.Watch {
	t.Helper()
	return must[*signalbox.Watch](t)(set.Watch(source, key, period))
}

// expectSilence sleeps for a moment.
func expectSilence(t *testing.T, set *signalbox.WaitSet) {
	t.Helper()
	moment, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	ready, err := set.Wait(moment)
	if len(ready) != 0 {
		t.Fatalf("%+v", ready)
	}
	expectError(t, err, signalbox.ErrTimedOut)
}

func TestWatchedSemaphoreIsReadableWhileAUnitIsFree(t *testing.T) {
	set, semaphore := newWaitSet(t), openUnits(t, 2)
	watch(t, set, semaphore, 1, 0)
	expectReady(t, set, 1, signalbox.Readable)
	first := must[*signalbox.Permit](t)(semaphore.TryAcquire())
	expectReady(t, set, 1, signalbox.Readable)
	second := must[*signalbox.Permit](t)(semaphore.TryAcquire())
	expectSilence(t, set)
	released := make(chan error)
	go func() { released <- first.Release() }()
	expectReady(t, set, 1, signalbox.Readable)
	expectNil(t, <-released)
	expectNil(t, second.Release())
}

func TestWatchedLocksWakeWhenTheirHolderReleasesOrDies(t *testing.T) {
	set, mutex := newWaitSet(t), openMutex(t)
	watch(t, set, mutex, 1, 0)
	expectReady(t, set, 1, signalbox.Readable)
	for _, dies := range []bool{false, true} {
		other := startHolder(t, "hold mutex", topicOf(t))
		expectSilence(t, set)
		if dies {
			other.kill(t)
		} else {
			other.tell(t)
		}
		expectReady(t, set, 1, signalbox.Readable)
	}
	held := must[*signalbox.MutexGuard](t)(mutex.TryLock(signalbox.Regardless))
	if held == nil || !held.OwnerDied {
		t.Fatalf("%+v", held)
	}
	expectNil(t, held.Release())
}

func TestUnitOfTheDeadMakesASemaphoreReadable(t *testing.T) {
	set, semaphore := newWaitSet(t), openUnits(t, 3)
	dead := startHolder(t, "hold units", topicOf(t))
	third := must[*signalbox.Permit](t)(semaphore.TryAcquire())
	watch(t, set, semaphore, 1, 0)
	expectSilence(t, set)
	dead.kill(t)
	expectReady(t, set, 1, signalbox.Readable)
	expectNil(t, third.Release())
}

func TestWatchedLockIsSilentWhenItsLastHandleIsGone(t *testing.T) {
	set, mutex, other := newWaitSet(t), openMutex(t), openMutex(t)
	watch(t, set, mutex, 1, time.Millisecond)
	mutex.Close()
	expectReady(t, set, 1, signalbox.Readable) // the other is the same lock
	other.Close()
	expectSilence(t, set)
	_, err := set.Watch(mutex, 1, 0)
	expectError(t, err, signalbox.ErrClosed, "watch mutex")
	semaphore := openUnits(t, 1)
	watch(t, set, semaphore, 2, 0)
	expectReady(t, set, 2, signalbox.Readable)
	semaphore.Close()
	expectSilence(t, set)
	_, err = set.Watch(semaphore, 2, 0)
	expectError(t, err, signalbox.ErrClosed, "watch semaphore")
}

func TestWatchTellsOfAPeriodInWhichALockWasNeverFree(t *testing.T) {
	set, mutex := newWaitSet(t), openMutex(t)
	held := lockMutex(t, mutex, nobodyDied)
	watch(t, set, mutex, 1, time.Millisecond)
	expectReady(t, set, 1, signalbox.DeadlineMissed)
	expectNil(t, held.Release())
	expectReady(t, set, 1, signalbox.Readable)
	_, err := set.Watch(mutex, 1, -time.Second)
	expectError(t, err, signalbox.ErrBadArgument)
}

// A lock may be used while somebody else waits for it with the set.
func TestWatchedLockIsUsedDuringTheWait(t *testing.T) {
	set, semaphore := newWaitSet(t), openUnits(t, 1)
	permit := must[*signalbox.Permit](t)(semaphore.TryAcquire())
	watch(t, set, semaphore, 1, 0)
	ended := make(chan error)
	go func() {
		_, err := set.Wait(within(t))
		ended <- err
	}()
	eventually(t, "somebody sleeps in Wait", func() bool {
		return goroutinesIn("syscall", "(*WaitSet).Wait(") == 1
	})
	for range 20 {
		expectFree(t, semaphore, 0)
		if must[*signalbox.Permit](t)(semaphore.TryAcquire()) != nil {
			t.Fatal("none was free")
		}
	}
	expectNil(t, permit.Release())
	expectNil(t, <-ended)
}

// leftOfLocks is what this process has of locks: descriptors of any kind, mappings and files.
func leftOfLocks(t *testing.T) [3]int {
	t.Helper()
	files := 0
	expectNil(t, filepath.WalkDir(os.Getenv("SIGNALBOX_DIR"),
		func(string, fs.DirEntry, error) error {
			files++
			return nil
		}))
	maps := string(must[[]byte](t)(os.ReadFile("/proc/self/maps")))
	return [3]int{descriptorCount(t), strings.Count(maps, "/dev/shm/"), files}
}

func TestNothingIsLeftOfAWatch(t *testing.T) {
	collected(t, "what other tests forgot is gone", func() bool {
		before := leftOfLocks(t)
		runtime.GC()
		return leftOfLocks(t) == before
	})
	set, mutex := newWaitSet(t), openMutex(t)
	held := lockMutex(t, mutex, nobodyDied)
	before := leftOfLocks(t)
	for range 5 {
		one := watch(t, set, mutex, 1, 0)
		expectSilence(t, set) // it stands in the lock's line now
		if now := leftOfLocks(t); now[0] != before[0]+2 {
			t.Fatalf("%v, before %v", now, before)
		}
		one.End()
		one.End()
	}
	another := must[*signalbox.WaitSet](t)(signalbox.NewWaitSet(1))
	watch(t, another, mutex, 1, 0)
	expectNil(t, another.Close())
	if now := leftOfLocks(t); now != before {
		t.Fatalf("%v, before %v", now, before)
	}
	expectNil(t, held.Release())
}
