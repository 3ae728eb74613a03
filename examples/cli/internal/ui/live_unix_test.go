//go:build unix

package ui_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"github.com/regrant/regrant/examples/cli/internal/ui"
)

func TestWhatIsSaidWhileACountdownRunsStaysWhenTheCountdownIsCleared(t *testing.T) {
	shows(t, "refused next: try again", func(u *ui.UI) {
		live := u.Err.Live()
		live.Show("4:59 waiting\nfor you")
		u.Err.Printf("refused\nnext: try again\n")
		live.Clear() // late, as by a goroutine that is told of the end
	})
}

// What a client still asks the server goes on while the result is written.
func TestAResultOnTheSameTerminalStaysWhenALineThatWasLiveIsCleared(t *testing.T) {
	shows(t, "the result", func(u *ui.UI) {
		live := u.Err.Live()
		live.Show("waiting")
		u.Out.Println("the result")
		live.Clear()
	})
}

// shows checks what is on a terminal, which is both output and errors, in the end.
func shows(t *testing.T, want string, say func(*ui.UI)) {
	t.Helper()
	p, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := pty.Setsize(p, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	say(ui.New(strings.NewReader(""), tty, tty, []string{"TERM=xterm-256color"}))
	screen := vt.NewSafeEmulator(80, 24)
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(screen, p) // on Linux EIO at the end
	if text := strings.Join(strings.Fields(screen.String()), " "); text != want {
		t.Errorf("the screen is %q (%v)", text, errors.Unwrap(err))
	}
}
