//go:build unix

package ui_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"

	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// onTerminal returns all that use writes to a terminal.
func onTerminal(t *testing.T, use func(*ui.Screen)) string {
	t.Helper()
	p, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	synctest.Test(t, func(*testing.T) {
		use(ui.New(strings.NewReader(""), io.Discard, tty, []string{"TERM=xterm-256color"}).Err)
	})
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	written, err := io.ReadAll(p) // on Linux EIO at the end
	if err != nil && !errors.As(err, new(*os.PathError)) {
		t.Fatal(err)
	}
	return string(written)
}

func TestAWaitIsToldOnceItHasTakenASecond(t *testing.T) {
	for what, tc := range map[string]struct {
		wait func(*ui.Slow)
		told int
	}{
		"a short wait": {func(w *ui.Slow) {
			end := w.Begin()
			time.Sleep(900 * time.Millisecond)
			end()
			time.Sleep(time.Second)
		}, 0},
		"short waits in a row": {func(w *ui.Slow) {
			for range 5 {
				end := w.Begin()
				time.Sleep(900 * time.Millisecond)
				end()
			}
		}, 0},
		"a long wait": {func(w *ui.Slow) {
			end := w.Begin()
			time.Sleep(1100 * time.Millisecond)
			end()
			end() // once is enough
		}, 1},
		"waits that overlap": {func(w *ui.Slow) {
			end := w.Begin()
			time.Sleep(900 * time.Millisecond)
			other := w.Begin()
			end()
			time.Sleep(900 * time.Millisecond)
			other()
		}, 1},
		"two long waits": {func(w *ui.Slow) {
			for range 2 {
				end := w.Begin()
				time.Sleep(5 * time.Second)
				end()
			}
		}, 2},
		"a wait while the terminal is somebody else's": {func(w *ui.Slow) {
			w.Off()
			end := w.Begin()
			time.Sleep(5 * time.Second)
			end()
		}, 0},
		"a wait that goes on when the terminal becomes somebody else's": {func(w *ui.Slow) {
			end := w.Begin()
			time.Sleep(5 * time.Second)
			w.Off()
			time.Sleep(5 * time.Second)
			end()
		}, 1},
		"a wait after that": {func(w *ui.Slow) {
			w.Off()
			w.On()
			end := w.Begin()
			time.Sleep(5 * time.Second)
			end()
		}, 1},
	} {
		written := onTerminal(t, func(s *ui.Screen) { tc.wait(s.Slow("Waiting for login.example.com")) })
		if n := strings.Count(written, "Waiting for login.example.com"); n != tc.told {
			t.Errorf("%s is told %d times, want %d: %q", what, n, tc.told, written)
		}
		if tc.told > 0 && !strings.HasSuffix(written, "\x1b[J") && !strings.HasSuffix(written, "\x1b[0J") {
			t.Errorf("%s leaves its line on the screen: %q", what, written)
		}
	}
}
