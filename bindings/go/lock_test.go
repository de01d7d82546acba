package signalbox_test

// Mutexes, semaphores and file locks: each promise that Go can break. Holders in other processes
// are this program in a role; they are killed, or told by SIGTERM to release.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

// ---- holders in other processes

func holdUntilTold(release func() error) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	fmt.Println("held")
	<-told
	return release()
}

func roleHoldMutex(name string) error {
	mutex, err := signalbox.OpenMutex(name, signalbox.LockOptions{})
	if err != nil {
		return err
	}
	held, err := mutex.Lock(context.Background(), signalbox.Regardless)
	if err != nil {
		return err
	}
	return holdUntilTold(held.Release)
}

// roleHoldUnits holds two of three, and uses one up when told.
func roleHoldUnits(name string) error {
	semaphore, err := signalbox.OpenSemaphore(name, 3, signalbox.SemaphoreOptions{})
	if err != nil {
		return err
	}
	one, err := semaphore.Acquire(context.Background())
	if err != nil {
		return err
	}
	two, err := semaphore.TryAcquire()
	if err != nil {
		return err
	}
	return holdUntilTold(func() error { return errors.Join(one.UseUp(), two.Release()) })
}

func roleHoldFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	lock, err := signalbox.LockFile(context.Background(), file, signalbox.FileLockOptions{})
	if err != nil {
		return err
	}
	return holdUntilTold(lock.Release)
}

type holder struct{ *exec.Cmd }

// startHolder answers once the role holds what it is for.
func startHolder(t *testing.T, role, name string) holder {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SIGNALBOX_GO_TEST_ROLE="+role, "SIGNALBOX_GO_TEST_TOPIC="+name)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	says, err := cmd.StdoutPipe()
	expectNil(t, err)
	expectNil(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(says).ReadString('\n'); line != "held\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return holder{cmd}
}

func (h holder) kill(t *testing.T) {
	t.Helper()
	expectNil(t, h.Process.Kill())
	h.Wait()
}

func (h holder) tell(t *testing.T) {
	t.Helper()
	expectNil(t, h.Process.Signal(syscall.SIGTERM))
	expectNil(t, h.Wait())
}

// ---- the mutex

func openMutex(t *testing.T) *signalbox.Mutex {
	t.Helper()
	mutex := must[*signalbox.Mutex](t)(
		signalbox.OpenMutex(topicOf(t), signalbox.LockOptions{}))
	t.Cleanup(func() { mutex.Close() })
	return mutex
}

func nobodyDied() error { return errors.New("nobody died") }

func lockMutex(t *testing.T, mutex *signalbox.Mutex, repair func() error) *signalbox.MutexGuard {
	t.Helper()
	return must[*signalbox.MutexGuard](t)(mutex.Lock(within(t), repair))
}

func expectBusy(t *testing.T, mutex *signalbox.Mutex) {
	t.Helper()
	if held := must[*signalbox.MutexGuard](t)(mutex.TryLock(nobodyDied)); held != nil {
		t.Fatal("somebody else held it")
	}
}

// Goroutines change threads under it, and any may release.
func TestMutexHasOneOwnerWhateverTheThread(t *testing.T) {
	mutex := openMutex(t)
	other := openMutex(t)
	counted := 0
	var all sync.WaitGroup
	for i := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for k := range 200 {
				held, err := []*signalbox.Mutex{mutex, other}[(i+k)%2].Lock(within(t), nobodyDied)
				if err != nil {
					t.Error(err)
					return
				}
				counted++
				runtime.Gosched()
				released := make(chan error)
				go func() { released <- held.Release() }()
				if err := <-released; err != nil {
					t.Error(err)
				}
			}
		}()
	}
	all.Wait()
	if counted != 1600 {
		t.Fatalf("%d", counted)
	}
}

func TestContextEndsAWaitForAMutex(t *testing.T) {
	mutex := openMutex(t)
	held := lockMutex(t, mutex, nobodyDied)
	expectBusy(t, mutex)
	late, cancelLate := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelLate()
	_, err := mutex.Lock(late, nobodyDied)
	expectError(t, err, signalbox.ErrTimedOut, "lock mutex")
	expectError(t, err, context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := mutex.Lock(ctx, nobodyDied)
		ended <- err
	}()
	cancel()
	expectError(t, <-ended, context.Canceled)
	expectNil(t, held.Release())
	expectNil(t, held.Release())
	expectNil(t, lockMutex(t, mutex, nobodyDied).Release())
}

func TestNextOwnerOfAMutexRepairs(t *testing.T) {
	mutex := openMutex(t)
	repairs := 0
	repair := func() error {
		repairs++
		return nil
	}
	for range 3 {
		dead := startHolder(t, "hold mutex", topicOf(t))
		expectBusy(t, mutex)
		waiting := make(chan *signalbox.MutexGuard)
		go func() {
			held, err := mutex.Lock(within(t), repair)
			if err != nil {
				t.Error(err)
			}
			waiting <- held
		}()
		dead.kill(t)
		held := <-waiting
		if held == nil || !held.OwnerDied {
			t.Fatalf("%+v", held)
		}
		expectNil(t, held.Release())
		if held = lockMutex(t, mutex, nobodyDied); held.OwnerDied {
			t.Fatal("told twice")
		}
		expectNil(t, held.Release())
	}
	if repairs != 3 {
		t.Fatalf("%d", repairs)
	}
}

func TestRepairThatFailsIsLeftToTheNextOwner(t *testing.T) {
	mutex := openMutex(t)
	startHolder(t, "hold mutex", topicOf(t)).kill(t)
	_, err := mutex.Lock(within(t), nobodyDied)
	if err == nil || err.Error() != "nobody died" {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Fatal("no panic")
			}
		}()
		mutex.TryLock(func() error { panic("half way") })
	}()
	held := lockMutex(t, mutex, signalbox.Regardless)
	if !held.OwnerDied {
		t.Fatal("the news was lost")
	}
	expectNil(t, held.Release())
	_, err = mutex.Lock(within(t), nil)
	expectError(t, err, signalbox.ErrBadArgument, "Regardless")
	_, err = mutex.TryLock(nil)
	expectError(t, err, signalbox.ErrBadArgument, "Regardless")
}

func TestAnotherProcessWakesWhoWaitsForAMutex(t *testing.T) {
	mutex := openMutex(t)
	other := startHolder(t, "hold mutex", topicOf(t))
	waiting := make(chan error)
	go func() {
		held, err := mutex.Lock(within(t), nobodyDied)
		if err == nil {
			err = held.Release()
		}
		waiting <- err
	}()
	other.tell(t)
	expectNil(t, <-waiting)
}

func TestClosedMutex(t *testing.T) {
	mutex := openMutex(t)
	held := lockMutex(t, mutex, nobodyDied)
	waiting := make(chan error)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, err := mutex.Lock(ctx, nobodyDied)
		waiting <- err
	}()
	mutex.Close()
	_, err := mutex.TryLock(nobodyDied)
	expectError(t, err, signalbox.ErrClosed, "lock mutex")
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) && !errors.Is(err, signalbox.ErrClosed) {
		t.Fatal(err)
	}
	again := openMutex(t)
	expectBusy(t, again)
	expectNil(t, held.Release())
	expectNil(t, lockMutex(t, again, nobodyDied).Release())
}

func TestUsersOfALockMustAgree(t *testing.T) {
	openMutex(t)
	_, err := signalbox.OpenMutex(topicOf(t), signalbox.LockOptions{FirstComeFirstServed: true})
	expectError(t, err, signalbox.ErrTypeMismatch)
	_, err = signalbox.OpenSemaphore(topicOf(t), 3, signalbox.SemaphoreOptions{})
	expectError(t, err, signalbox.ErrTypeMismatch)
	elsewhere := must[*signalbox.Semaphore](t)(signalbox.OpenSemaphore(topicOf(t), 3,
		signalbox.SemaphoreOptions{Domain: "elsewhere"}))
	expectNil(t, elsewhere.Close())
	_, err = signalbox.OpenMutex("a\x00b", signalbox.LockOptions{})
	expectError(t, err, signalbox.ErrBadName)
	for _, unitsMax := range []int{0, 4097, -1, 1<<32 + 2, 1 << 40} {
		_, err = signalbox.OpenSemaphore("u", unitsMax, signalbox.SemaphoreOptions{})
		expectError(t, err, signalbox.ErrBadArgument,
			fmt.Sprintf("unitsMax is %d. Use a number from 1 to 4096", unitsMax))
	}
	for _, absent := range []int{4, -1, 1<<32 + 2} {
		_, err = signalbox.OpenSemaphore("u", 3, signalbox.SemaphoreOptions{AbsentUnits: absent})
		expectError(t, err, signalbox.ErrBadArgument,
			fmt.Sprintf("AbsentUnits is %d. Use a number from 0 to 3", absent))
	}
}

// ---- the semaphore

func expectFree(t *testing.T, semaphore *signalbox.Semaphore, units int) {
	t.Helper()
	if value := must[int](t)(semaphore.Value()); value != units {
		t.Fatalf("%d units are free, not %d", value, units)
	}
}

func TestUnitsOfTheDeadComeBack(t *testing.T) {
	semaphore := must[*signalbox.Semaphore](t)(
		signalbox.OpenSemaphore(topicOf(t), 3, signalbox.SemaphoreOptions{}))
	dead := startHolder(t, "hold units", topicOf(t))
	expectFree(t, semaphore, 1)
	first := must[*signalbox.Permit](t)(semaphore.Acquire(within(t)))
	if must[*signalbox.Permit](t)(semaphore.TryAcquire()) != nil {
		t.Fatal("none was free")
	}
	if must[bool](t)(semaphore.TryConsume()) {
		t.Fatal("none was free")
	}
	late, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := semaphore.Acquire(late)
	expectError(t, err, signalbox.ErrTimedOut, "acquire a unit of semaphore")
	expectError(t, semaphore.Consume(late), signalbox.ErrTimedOut)

	waiting := make(chan *signalbox.Permit)
	for range 2 {
		go func() {
			permit, err := semaphore.Acquire(within(t))
			if err != nil {
				t.Error(err)
			}
			waiting <- permit
		}()
	}
	dead.kill(t)
	for _, permit := range []*signalbox.Permit{<-waiting, <-waiting, first} {
		expectNil(t, permit.Release())
		expectNil(t, permit.Release())
		expectError(t, permit.UseUp(), signalbox.ErrBadArgument)
	}
	expectFree(t, semaphore, 3)

	// Who lives uses one up, and gives the other back.
	startHolder(t, "hold units", topicOf(t)).tell(t)
	expectFree(t, semaphore, 2)
	expectNil(t, semaphore.Consume(within(t)))
	expectNil(t, semaphore.Consume(within(t)))
	ended := make(chan error)
	go func() { ended <- semaphore.Consume(within(t)) }()
	expectNil(t, semaphore.Post())
	expectNil(t, <-ended)
	for range 3 {
		expectNil(t, semaphore.Post())
	}
	expectError(t, semaphore.Post(), signalbox.ErrOutOfRange)
	expectNil(t, semaphore.Close())
	expectError(t, semaphore.Post(), signalbox.ErrClosed)
}

func TestSemaphoreMadeWithUnitsAbsent(t *testing.T) {
	semaphore := must[*signalbox.Semaphore](t)(
		signalbox.OpenSemaphore(topicOf(t), 3, signalbox.SemaphoreOptions{AbsentUnits: 2}))
	defer semaphore.Close()
	expectFree(t, semaphore, 1)
}

// ---- files

func openTable(t *testing.T) (path string, file *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "table")
	expectNil(t, os.WriteFile(path, make([]byte, 100), 0o600))
	return path, openAgain(t, path)
}

func openAgain(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	expectNil(t, err)
	t.Cleanup(func() { file.Close() })
	return file
}

func TestFileLockDiesWithItsHolder(t *testing.T) {
	path, file := openTable(t)
	whole := signalbox.FileLockOptions{}
	dead := startHolder(t, "hold file", path)
	if must[*signalbox.FileLock](t)(signalbox.TryLockFile(file, whole)) != nil {
		t.Fatal("it was locked")
	}
	late, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := signalbox.LockFile(late, file, whole)
	expectError(t, err, signalbox.ErrTimedOut, path)
	if must[*signalbox.LockHolder](t)(signalbox.HolderOfFile(file, whole)) == nil {
		t.Fatal("it was locked")
	}
	waiting := make(chan *signalbox.FileLock)
	go func() {
		lock, err := signalbox.LockFile(context.Background(), file, whole)
		if err != nil {
			t.Error(err)
		}
		waiting <- lock
	}()
	dead.kill(t)
	expectNil(t, (<-waiting).Release())

	other := startHolder(t, "hold file", path)
	go func() {
		lock, err := signalbox.LockFile(within(t), file, signalbox.FileLockOptions{Shared: true})
		if err != nil {
			t.Error(err)
		}
		waiting <- lock
	}()
	other.tell(t)
	expectNil(t, (<-waiting).Release())
}

func TestFileLockRangesKindsAndOwners(t *testing.T) {
	path, one := openTable(t)
	two := openAgain(t, path)
	head := signalbox.FileLockOptions{Bytes: 10}
	lock := must[*signalbox.FileLock](t)(signalbox.LockFile(within(t), one, head))
	tail := must[*signalbox.FileLock](t)(
		signalbox.TryLockFile(two, signalbox.FileLockOptions{Begin: 10}))
	found := must[*signalbox.LockHolder](t)(
		signalbox.HolderOfFile(one, signalbox.FileLockOptions{Begin: 50}))
	if *found != (signalbox.LockHolder{Begin: 10}) {
		t.Fatalf("%+v", found)
	}
	expectNil(t, lock.Convert(within(t), true))
	shared := must[*signalbox.FileLock](t)(
		signalbox.TryLockFile(two, signalbox.FileLockOptions{Bytes: 10, Shared: true}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- lock.Convert(ctx, false) }()
	cancel()
	expectError(t, <-ended, context.Canceled)
	for _, each := range []*signalbox.FileLock{shared, tail, lock} {
		expectNil(t, each.Release())
		expectNil(t, each.Release())
		expectError(t, each.Convert(within(t), true), signalbox.ErrBadArgument, "released")
	}
	_, err := signalbox.TryLockFile(one,
		signalbox.FileLockOptions{Owner: signalbox.OwnerFlock, Begin: 5})
	expectError(t, err, signalbox.ErrBadArgument)
	expectError(t, err, syscall.EINVAL)
	lock = must[*signalbox.FileLock](t)(signalbox.LockFile(within(t), one, head))
	one.Close()
	expectNil(t, lock.Release())
	_, err = signalbox.TryLockFile(one, head)
	expectError(t, err, signalbox.ErrClosed)
	if must[*signalbox.FileLock](t)(signalbox.TryLockFile(two, head)) == nil {
		t.Fatal("it was free")
	}
}
