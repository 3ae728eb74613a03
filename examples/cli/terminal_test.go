//go:build unix

package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/term"
)

var update = flag.Bool("update", false, "write the golden screens anew")

// A terminal is a real pseudo-terminal with a program in it, and an emulator that
// shows what a person would see.
type terminal struct {
	t      *testing.T
	pty    *os.File
	screen *vt.Emulator
	cmd    *exec.Cmd
	shown  chan struct{} // something has changed
	over   chan struct{} // closed when the program has ended, and all was shown
	before *term.State

	mu  sync.Mutex // guards screen, but for its Read, and
	raw []byte     // all that the program has written
}

// open runs the program in a terminal of that size.
func (h *home) open(columns, rows int, args ...string) *terminal {
	h.t.Helper()
	return openTerminal(h.t, h.with("TERM=xterm-256color").command(args...), columns, rows)
}

func openTerminal(t *testing.T, cmd *exec.Cmd, columns, rows int) *terminal {
	t.Helper()
	p, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	before, err := term.GetState(int(p.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = errors.Join(pty.Setsize(p, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}), cmd.Start(), tty.Close())
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{
		t: t, pty: p, before: before, screen: vt.NewEmulator(columns, rows), cmd: cmd,
		shown: make(chan struct{}, 1), over: make(chan struct{}),
	}
	go func() { _, _ = io.Copy(p, x.screen) }() // what a terminal answers to questions
	go x.show()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-x.over
		_ = x.screen.InputPipe().(io.Closer).Close() // Close is not for concurrent use
		_ = p.Close()
	})
	return x
}

// show shows what the program writes until it ends.
func (x *terminal) show() {
	defer close(x.over)
	buffer := make([]byte, 4096)
	for {
		n, err := x.pty.Read(buffer)
		x.mu.Lock()
		_, _ = x.screen.Write(buffer[:n])
		x.raw = append(x.raw, buffer[:n]...)
		x.mu.Unlock()
		select {
		case x.shown <- struct{}{}:
		default:
		}
		if err != nil { // on Linux EIO, once nobody holds the other end
			_ = x.cmd.Wait()
			return
		}
	}
}

// text is what is on the screen, without trailing space.
func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var lines []string
	for line := range strings.Lines(x.screen.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// written is all that the program has written, control sequences included.
func (x *terminal) written() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return string(x.raw)
}

// see waits until the screen shows a text.
func (x *terminal) see(part string) {
	x.t.Helper()
	limit := time.After(30 * time.Second)
	for !strings.Contains(x.text(), part) {
		select {
		case <-x.shown:
		case <-x.over:
			if !strings.Contains(x.text(), part) {
				x.t.Fatalf("the program has ended without %q on the screen:\n%s", part, x.text())
			}
		case <-limit:
			x.t.Fatalf("%q does not come to the screen:\n%s", part, x.text())
		}
	}
}

// press types something.
func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.pty, keys); err != nil {
		x.t.Fatal(err)
	}
}

const (
	enter = "\r"
	ctrlC = "\x03"
)

// wait waits for the end of the program, and returns its exit code. The program must
// leave the terminal as it was: it echoes, its cursor is seen, and its first screen
// is shown.
func (x *terminal) wait() int {
	x.t.Helper()
	select {
	case <-x.over:
		after, err := term.GetState(int(x.pty.Fd()))
		if err != nil || !reflect.DeepEqual(x.before, after) || x.screen.CursorHidden() || x.screen.IsAltScreen() {
			x.t.Errorf("the terminal is left in another state (%v)", err)
		}
		return x.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		x.t.Fatalf("the program does not end:\n%s", x.text())
		return -1
	}
}

// variable is what differs from run to run: ports, times, what belongs to one login, and a QR
// code that has it.
var variable = regexp.MustCompile(`127\.0\.0\.1:\d+(/authorize\?[^ \n]+(\n[^ \n]+)*)?|[A-Z0-9]{4}-[A-Z0-9]{4}|[A-Z2-7]{26}|([█▀▄ ]{20,}\n)+|\b\d+:\d\d\b`)

// golden compares the screen to the one in testdata.
func (x *terminal) golden(name string) {
	x.t.Helper()
	got := variable.ReplaceAllString(x.text(), "…")
	file := filepath.Join("testdata", name+".screen")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			x.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		x.t.Fatal(err)
	}
	if got != string(want) {
		x.t.Errorf("the screen is not %s (-update writes it anew):\n%s", file, got)
	}
}
