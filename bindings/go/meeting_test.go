package signalbox_test

// Reader/writer locks, conditions and barriers: each promise that Go can break, between goroutines
// and with this program in a role.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/go/signalbox"
)

// ---- the reader/writer lock

func roleHoldToRead(name string) error {
	lock, err := signalbox.OpenReadWriteLock(name, "")
	if err != nil {
		return err
	}
	held, err := lock.LockToRead(context.Background())
	if err != nil {
		return err
	}
	return holdUntilTold(held.Release)
}

func roleHoldToWrite(name string) error {
	lock, err := signalbox.OpenReadWriteLock(name, "")
	if err != nil {
		return err
	}
	held, err := lock.LockToWrite(context.Background(), signalbox.Regardless)
	if err != nil {
		return err
	}
	return holdUntilTold(held.Release)
}

func openReadWriteLock(t *testing.T) *signalbox.ReadWriteLock {
	t.Helper()
	lock := must[*signalbox.ReadWriteLock](t)(signalbox.OpenReadWriteLock(topicOf(t), ""))
	t.Cleanup(func() { lock.Close() })
	return lock
}

func toRead(t *testing.T, lock *signalbox.ReadWriteLock) *signalbox.ReadGuard {
	t.Helper()
	return must[*signalbox.ReadGuard](t)(lock.LockToRead(within(t)))
}

func toWrite(t *testing.T, lock *signalbox.ReadWriteLock,
	repair func() error) *signalbox.WriteGuard {
	t.Helper()
	return must[*signalbox.WriteGuard](t)(lock.LockToWrite(within(t), repair))
}

func TestManyReadOrOneWrites(t *testing.T) {
	lock := openReadWriteLock(t)
	numbers := [2]int{}
	var all sync.WaitGroup
	for i := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 100 {
				if i%4 != 0 {
					held, err := lock.LockToRead(within(t))
					if err != nil || numbers[0] != numbers[1] {
						t.Error(numbers, err)
						return
					}
					held.Release()
					continue
				}
				held, err := lock.LockToWrite(within(t), nobodyDied)
				if err != nil {
					t.Error(err)
					return
				}
				numbers[0]++
				numbers[1]++
				held.Release()
			}
		}()
	}
	all.Wait()
	if numbers != [2]int{200, 200} {
		t.Fatal(numbers)
	}
}

// No thread owns it: who holds it and asks for what excludes that waits, and any may release.
func TestReadWriteLockBelongsToNoThread(t *testing.T) {
	lock := openReadWriteLock(t)
	first, second := toRead(t, lock), toRead(t, lock)
	if must[*signalbox.WriteGuard](t)(lock.TryLockToWrite(nobodyDied)) != nil {
		t.Fatal("it was held")
	}
	late, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := lock.LockToWrite(late, nobodyDied)
	expectError(t, err, signalbox.ErrTimedOut, "lock to write reader/writer lock")
	released := make(chan error)
	for _, held := range []*signalbox.ReadGuard{first, second} {
		go func() { released <- errors.Join(held.Release(), held.Release()) }()
		expectNil(t, <-released)
	}
	writing := toWrite(t, lock, nobodyDied)
	if must[*signalbox.ReadGuard](t)(lock.TryLockToRead()) != nil {
		t.Fatal("it was held")
	}
	_, err = lock.LockToRead(late)
	expectError(t, err, signalbox.ErrTimedOut)
	ctx, cancelReader := context.WithCancel(context.Background())
	go func() {
		_, err := lock.LockToRead(ctx)
		released <- err
	}()
	cancelReader()
	expectError(t, <-released, context.Canceled)
	go func() { released <- errors.Join(writing.Release(), writing.Release()) }()
	expectNil(t, <-released)
	expectNil(t, toRead(t, lock).Release())
	lock.Close()
	_, err = lock.TryLockToRead()
	expectError(t, err, signalbox.ErrClosed, "lock to read")
}

func TestNextWriterRepairs(t *testing.T) {
	lock := openReadWriteLock(t)
	startHolder(t, "hold to read", topicOf(t)).kill(t)
	expectNil(t, toWrite(t, lock, nobodyDied).Release())
	dead := startHolder(t, "hold to write", topicOf(t))
	waiting := make(chan error)
	go func() {
		held, err := lock.LockToRead(within(t))
		if err == nil {
			err = held.Release()
		}
		waiting <- err
	}()
	dead.kill(t)
	expectNil(t, <-waiting)
	_, err := lock.LockToWrite(within(t), nobodyDied)
	if err == nil || err.Error() != "nobody died" {
		t.Fatal(err)
	}
	held := toWrite(t, lock, signalbox.Regardless)
	if !held.OwnerDied {
		t.Fatal("the news was lost")
	}
	expectNil(t, held.Release())
	expectNil(t, toWrite(t, lock, nobodyDied).Release())
	_, err = lock.TryLockToWrite(nil)
	expectError(t, err, signalbox.ErrBadArgument, "Regardless")

	other := startHolder(t, "hold to read", topicOf(t))
	go func() {
		held, err := lock.LockToWrite(within(t), nobodyDied)
		if err == nil {
			err = held.Release()
		}
		waiting <- err
	}()
	other.tell(t)
	expectNil(t, <-waiting)
}

// ---- the condition

// roleNotify notifies twenty times, under the mutex, and dies with it at the next.
func roleNotify(name string) error {
	mutex, err := signalbox.OpenMutex(name+".mutex", signalbox.LockOptions{})
	if err != nil {
		return err
	}
	changed, err := signalbox.OpenCondition(name, "")
	if err != nil {
		return err
	}
	for count := 0; ; count++ {
		// It can be had only when the other waits.
		held, err := mutex.Lock(context.Background(), signalbox.Regardless)
		if err != nil {
			return err
		}
		if err := changed.NotifyOne(); err != nil {
			return err
		}
		if count == 20 {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		if err := held.Release(); err != nil {
			return err
		}
	}
}

func openCondition(t *testing.T) (*signalbox.Mutex, *signalbox.Condition) {
	t.Helper()
	mutex := must[*signalbox.Mutex](t)(
		signalbox.OpenMutex(topicOf(t)+".mutex", signalbox.LockOptions{}))
	changed := must[*signalbox.Condition](t)(signalbox.OpenCondition(topicOf(t), ""))
	t.Cleanup(func() {
		changed.Close()
		mutex.Close()
	})
	return mutex, changed
}

func TestAnotherProcessNotifies(t *testing.T) {
	mutex, changed := openCondition(t)
	held := lockMutex(t, mutex, nobodyDied)
	startRole(t, "notify", topicOf(t))
	for repairs := 0; repairs == 0; {
		expectNil(t, changed.Wait(within(t), held, func() error {
			repairs++
			return nil
		}))
		if held.OwnerDied != (repairs == 1) {
			t.Fatalf("%d repairs, %v", repairs, held.OwnerDied)
		}
	}
	expectNil(t, held.Release())
}

func TestWaitForAConditionEnds(t *testing.T) {
	mutex, changed := openCondition(t)
	held := lockMutex(t, mutex, nobodyDied)
	late, cancelLate := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelLate()
	for late.Err() == nil {
		if err := changed.Wait(late, held, nobodyDied); err != nil {
			expectError(t, err, signalbox.ErrTimedOut, "wait for condition")
		}
	}
	expectBusy(t, mutex)
	expectError(t, changed.Wait(late, held, nobodyDied), context.DeadlineExceeded)

	// A goroutine waits while another changes what it waits for.
	isChanged := false
	ended := make(chan error)
	go func() {
		for !isChanged {
			if err := changed.Wait(context.Background(), held, nobodyDied); err != nil {
				ended <- err
				return
			}
		}
		ended <- held.Release()
	}()
	other := lockMutex(t, mutex, nobodyDied)
	isChanged = true
	expectNil(t, changed.NotifyAll())
	expectNil(t, other.Release())
	expectNil(t, <-ended)

	expectError(t, changed.Wait(within(t), held, nobodyDied), signalbox.ErrBadArgument,
		"nothing is held")
	expectError(t, changed.Wait(within(t), held, nil), signalbox.ErrBadArgument, "Regardless")
	changed.Close()
	expectError(t, changed.NotifyOne(), signalbox.ErrClosed)
}

// ---- the barrier

// roleMeet is one of the parties that the name ends with.
func roleMeet(name string) error {
	var parties int
	if _, err := fmt.Sscan(name[strings.LastIndex(name, ".")+1:], &parties); err != nil {
		return err
	}
	barrier, err := signalbox.OpenBarrier(name, parties, "")
	if err != nil {
		return err
	}
	fmt.Println("held")
	for range 20 {
		if err := barrier.ArriveAndWait(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

func TestPartiesMeet(t *testing.T) {
	name := topicOf(t) + ".2"
	barrier := must[*signalbox.Barrier](t)(signalbox.OpenBarrier(name, 2, ""))
	late, cancelLate := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancelLate()
	expectError(t, barrier.ArriveAndWait(late), signalbox.ErrTimedOut, "meet at barrier")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- barrier.ArriveAndWait(ctx) }()
	cancel()
	expectError(t, <-ended, context.Canceled)
	other := startHolder(t, "meet", name)
	for range 20 {
		expectNil(t, barrier.ArriveAndWait(within(t)))
	}
	expectNil(t, other.Wait())
	_, err := signalbox.OpenBarrier(name, 3, "")
	expectError(t, err, signalbox.ErrTypeMismatch)
	for _, parties := range []int{0, 257, -1, 1<<32 + 2, 1 << 40} {
		_, err = signalbox.OpenBarrier("other", parties, "")
		expectError(t, err, signalbox.ErrBadArgument,
			fmt.Sprintf("parties is %d. Use a number from 1 to 256", parties))
	}
	expectNil(t, barrier.Close())
	expectError(t, barrier.ArriveAndWait(within(t)), signalbox.ErrClosed)
}

// Whoever waits when the other dies is told. When we came too late the other was not there with us:
// once more.
func TestWhoWaitsAtABarrierIsToldOfADeath(t *testing.T) {
	name := topicOf(t) + ".3"
	barrier := must[*signalbox.Barrier](t)(signalbox.OpenBarrier(name, 3, ""))
	defer barrier.Close()
	for {
		other := startHolder(t, "meet", name)
		ended := make(chan error, 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		go func() { ended <- barrier.ArriveAndWait(ctx) }()
		time.Sleep(20 * time.Millisecond) // likely is enough, and nothing tells us that both wait
		other.kill(t)
		err := <-ended
		cancel()
		if errors.Is(err, signalbox.ErrAbandoned) {
			return
		}
		expectError(t, err, signalbox.ErrTimedOut)
	}
}
