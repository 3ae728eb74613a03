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
	p, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := pty.Setsize(p, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	u := ui.New(strings.NewReader(""), io.Discard, tty, []string{"TERM=xterm-256color"})
	live := u.Err.Live()
	live.Show("4:59 waiting\nfor you")
	u.Err.Printf("refused\nnext: try again\n")
	live.Clear() // late, as by a goroutine that is told of the end
	screen := vt.NewSafeEmulator(80, 24)
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(screen, p) // on Linux EIO at the end
	text := strings.Join(strings.Fields(screen.String()), " ")
	if text != "refused next: try again" {
		t.Errorf("the screen is %q (%v)", text, errors.Unwrap(err))
	}
}

// What a client still asks the server goes on while the result is written.
func TestAResultOnTheSameTerminalStaysWhenALineThatWasLiveIsCleared(t *testing.T) {
	p, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := pty.Setsize(p, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	u := ui.New(strings.NewReader(""), tty, tty, []string{"TERM=xterm-256color"})
	live := u.Err.Live()
	live.Show("waiting")
	u.Out.Println("the result")
	live.Clear()
	screen := vt.NewSafeEmulator(80, 24)
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(screen, p) // on Linux EIO at the end
	if text := strings.Join(strings.Fields(screen.String()), " "); text != "the result" {
		t.Errorf("the screen is %q (%v)", text, errors.Unwrap(err))
	}
}
