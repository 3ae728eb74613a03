package keyringstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/regrant/regrant/tokenstore"
)

func TestFieldCase_zalando_go_keyring_131_NobodyWaitsForAKeychainLongerThanTheirContext(t *testing.T) {
	f, dir := place(t)
	save(t, open(f, dir), "me", "data", "")
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		f.hangs = answer
		s := open(f, dir)
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			began := time.Now()
			_, v, err := s.Load(ctx, key("me"))
			if !errors.Is(err, context.DeadlineExceeded) || v != "" || errors.Is(err, tokenstore.ErrUnavailable) || errors.Is(err, tokenstore.ErrUnreadable) {
				t.Fatalf("Load returned version %q, %v", v, err)
			}
			if waited := time.Since(began); waited != 100*time.Millisecond {
				t.Fatalf("it waited for %v", waited)
			}
			cancel()
		}
		if n := s.calls.running; n != 1 {
			t.Errorf("%d calls run, and one prompt is enough", n)
		}
		time.AfterFunc(time.Second, func() { close(answer) }) // somebody types the password
		holds(t, s, "me", "data")
	})
}

func TestFieldCase_cli_cli_13787_AKeychainThatHangsIsGivenUpAndTriedAgainAFewTimes(t *testing.T) {
	f, dir := place(t)
	save(t, open(f, dir), "me", "data", "")
	synctest.Test(t, func(t *testing.T) {
		hangs := make(chan struct{})
		f.hangs = hangs
		s := open(f, dir)
		for range 3 * maxCalls {
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					if _, _, err := s.Load(t.Context(), key("me")); !errors.Is(err, errHung) || errors.Is(err, tokenstore.ErrUnavailable) {
						t.Errorf("Load returned %v", err)
					}
				})
			}
			wg.Wait()
		}
		if n := s.calls.running; n != maxCalls {
			t.Errorf("%d calls were left behind", n)
		}
		close(hangs)
		synctest.Wait()
		holds(t, s, "me", "data")
		if n := s.calls.running; n != 0 {
			t.Errorf("%d calls still run", n)
		}
	})
}

// The prompt of the first login may outlast the patience of its client: what it
// leads to in the end is used by the next Save.
func TestAKeyThatIsWrittenLateIsUsed(t *testing.T) {
	f, dir := place(t)
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		f.hangs = answer
		s := open(f, dir)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := s.Save(ctx, key("me"), []byte("data"), ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.AfterFunc(5*time.Second, func() { close(answer) })
		save(t, s, "me", "data", "")
		f.only(t)
		holds(t, s, "me", "data")
	})
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	f, dir := place(t)
	save(t, open(f, dir), "me", "data", "")
	for _, text := range []string{
		"Object does not exist at path \"/org/freedesktop/secrets/session/s3\"",
		"No such interface \"org.freedesktop.Secret.Item\" on object at path /org/freedesktop/secrets/collection/login/2",
		"Message recipient disconnected from message bus without replying",
		"dbus: connection closed by user",
		keyring.ErrNotFound.Error(),
	} {
		passing := errors.New(text)
		if text == keyring.ErrNotFound.Error() {
			passing = keyring.ErrNotFound
		}
		first := f.gets + f.sets
		f.broken = func(call int) error {
			if call <= first+len(pauses) {
				return passing
			}
			return nil
		}
		holds(t, open(f, dir), "me", "data")
	}
}

func TestWhatDoesNotPassIsAnErrorAtOnce(t *testing.T) {
	f, dir := place(t)
	save(t, open(f, dir), "me", "data", "")
	f.gets = 0
	f.broken = func(int) error { return errors.New("broken") }
	_, v, err := open(f, dir).Load(t.Context(), key("me"))
	if err == nil || v != "" || errors.Is(err, tokenstore.ErrUnavailable) || errors.Is(err, tokenstore.ErrUnreadable) || f.gets != 1 {
		t.Errorf("Load returned version %q, %v after %d calls", v, err, f.gets)
	}
}

func TestErrorsTellNoKeychainFromOneThatIsLocked(t *testing.T) {
	dial := func(cause error) error {
		return &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", cause)}
	}
	for _, c := range []struct {
		err  error
		kind string
	}{
		{keyring.ErrUnsupportedPlatform, "absent"},
		{errNoBus, "absent"},
		{&exec.Error{Name: "dbus-launch", Err: exec.ErrNotFound}, "absent"},
		{dial(syscall.ENOENT), "absent"},
		{dial(syscall.ECONNREFUSED), "absent"},
		{errors.New("The name org.freedesktop.secrets was not provided by any .service files"), "absent"},
		{errors.New("failed to unlock correct collection '/org/freedesktop/secrets/aliases/default'"), "locked"},
		{errors.New("failed to unlock correct collection '/org/freedesktop/secrets/collection/login'"), "locked"},
		{errors.New("Cannot get secret of a locked object"), "locked"},
		{errHung, "other"},
		{io.EOF, "other"},
		{&net.OpError{Op: "read", Err: syscall.ECONNREFUSED}, "other"},
		{fmt.Errorf("waiting: %w", context.Canceled), "other"},
	} {
		f, dir := place(t)
		f.broken = func(int) error { return c.err }
		s := open(f, dir)
		_, _, loadErr := s.Load(t.Context(), key("me"))
		_, saveErr := s.Save(t.Context(), key("me"), []byte("data"), "")
		for _, err := range []error{s.Check(t.Context()), loadErr, saveErr} {
			if !errors.Is(err, c.err) || errors.Is(err, tokenstore.ErrNotFound) || errors.Is(err, ErrKeyLost) {
				t.Errorf("%v became %v", c.err, err)
			}
			if absent := errors.Is(err, tokenstore.ErrUnavailable); absent != (c.kind == "absent") ||
				absent != strings.Contains(err.Error(), "NewPassphraseSealer") ||
				strings.Contains(err.Error(), "unlock it") != (c.kind == "locked") {
				t.Errorf("%v is %s, and became %v", c.err, c.kind, err)
			}
		}
	}
}

func TestTheExitStatusOfTheToolOfMacOSTellsALockedKeychain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no sh")
	}
	for status, want := range map[int]bool{36: true, 51: true, 128: true, 1: false, 44: false} {
		err := exec.CommandContext(t.Context(), "sh", "-c", fmt.Sprintf("exit %d", status)).Run()
		if got := lockedStatus("darwin", err); got != want {
			t.Errorf("status %d: %v", status, got)
		}
		if lockedStatus("linux", err) {
			t.Errorf("status %d means something on Linux, too", status)
		}
	}
}
