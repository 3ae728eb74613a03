package filelock_test

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/filelock"
)

// holder is set in a process that is to take a lock, and to keep it.
const holder = "REGRANT_HOLD_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(holder); path != "" {
		unlock, err := filelock.Lock(context.Background(), path)
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString("locked\n")
		time.Sleep(time.Hour) // to be killed
		unlock()
	}
	os.Exit(m.Run())
}

func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	unlock, err := filelock.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

// locked fails the test if the lock can be had.
func locked(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := filelock.Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Lock returned %v, and the file is locked", err)
	}
}

func TestASecondHolderWaitsForTheFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock := lock(t, path)
	locked(t, path)
	unlock()
	lock(t, path)()
}

func TestUnlockingAgainDoesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first := lock(t, path)
	first()
	second := lock(t, path)
	defer second()
	first()
	locked(t, path)
}

func TestHoldersAreOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var holders atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				unlock, err := filelock.Lock(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n > 1 {
					t.Errorf("%d hold it", n)
				}
				runtime.Gosched()
				holders.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
}

func TestALockIsFreedWhenItsHolderIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holder+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the holder said %q, %v", line, err)
	}
	locked(t, path)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	unlock, err := filelock.Lock(ctx, path)
	if err != nil {
		t.Fatalf("after its holder was killed: %v", err)
	}
	unlock()
	_ = cmd.Wait()
}

func TestTheLockFileStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock(t, path)()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
}

func TestAnEndedContextLocksNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := filelock.Lock(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	lock(t, path)()
}

func TestALinkIsNotLocked(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making links takes a privilege on Windows")
	}
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), filepath.Join(dir, "lock")
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	if _, err := filelock.Lock(t.Context(), path); err == nil {
		t.Error("it was followed")
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what it points to was created: %v", err)
	}
}

func TestADirectoryThatIsNotThereIsAnError(t *testing.T) {
	_, err := filelock.Lock(t.Context(), filepath.Join(t.TempDir(), "absent", "lock"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}
