//go:build unix

// Package terminal is for tests of programs that people use on a terminal: it runs
// them in a real pseudo-terminal, and an emulator shows what a person would see.
package terminal

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/term"
)

// Keys for [Terminal.Press].
const (
	Enter = "\r"
	CtrlC = "\x03"
)

// patience bounds each wait, on a machine that has much else to do.
const patience = time.Minute

// A Terminal is one with a program in it. Its methods are for one goroutine of the
// test.
type Terminal struct {
	t      testing.TB
	pty    *os.File
	screen *vt.Emulator
	cmd    *exec.Cmd
	shown  chan struct{} // something has changed
	over   chan struct{} // closed when the program has ended, and all was shown
	before *term.State

	mu  sync.Mutex // guards screen, but for its Read, and
	raw []byte     // all that the program has written
}

// Open runs a command in a terminal of that size until the test ends.
func Open(t testing.TB, cmd *exec.Cmd, columns, rows int) *Terminal {
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
	x := &Terminal{
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
func (x *Terminal) show() {
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

// Text returns what is on the screen, without trailing space.
func (x *Terminal) Text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var lines []string
	for line := range strings.Lines(x.screen.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// Written returns all that the program has written, control sequences included.
func (x *Terminal) Written() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return string(x.raw)
}

// See waits until the screen shows a text.
func (x *Terminal) See(part string) {
	x.t.Helper()
	if !x.until(func(screen string) bool { return strings.Contains(screen, part) }) {
		x.t.Fatalf("%q has not come to the screen:\n%s", part, x.Text())
	}
}

// until waits until the screen is as it should be. It tells whether that has come true,
// at the latest when the program has ended.
func (x *Terminal) until(right func(screen string) bool) bool {
	limit := time.After(patience)
	for !right(x.Text()) {
		select {
		case <-x.shown:
		case <-x.over:
			return right(x.Text())
		case <-limit:
			return false
		}
	}
	return true
}

// Press types something.
func (x *Terminal) Press(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.pty, keys); err != nil {
		x.t.Fatal(err)
	}
}

// Wait waits for the end of the program, and returns its exit code. The program must
// leave the terminal as it was: it echoes, its cursor is seen, and its first screen
// is shown.
func (x *Terminal) Wait() int {
	x.t.Helper()
	select {
	case <-x.over:
		after, err := term.GetState(int(x.pty.Fd()))
		if err != nil || !reflect.DeepEqual(x.before, after) || x.screen.CursorHidden() || x.screen.IsAltScreen() {
			x.t.Errorf("the terminal is left in another state (%v)", err)
		}
		return x.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		x.t.Fatalf("the program does not end:\n%s", x.Text())
		return -1
	}
}
