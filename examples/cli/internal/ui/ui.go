// Package ui is what the program shows its user and asks: text with colours on a
// terminal that has them, plain when it is piped, JSON where that is wanted, and
// nothing that somebody else wrote without [Text] or [Visible].
package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"
)

// A UI is the standard streams of the program, and what is known about them.
type UI struct {
	In  io.Reader
	Out *Screen // what the user asked for, and nothing else
	Err *Screen // what is said about it: progress, questions, errors

	environ []string
}

// New returns the UI of a program with these streams and this environment (as
// os.Environ gives it).
func New(in io.Reader, out, errs io.Writer, environ []string) *UI {
	u := &UI{In: in, environ: environ}
	u.Out = newScreen(out, u)
	u.Err = newScreen(errs, u)
	return u
}

// Getenv returns an environment variable, "" if it is not set.
func (u *UI) Getenv(name string) string {
	// The last one counts, as for a process that is started with the environment.
	for _, entry := range slices.Backward(u.environ) {
		if key, value, ok := strings.Cut(entry, "="); ok && key == name {
			return value
		}
	}
	return ""
}

// Environ returns the environment.
func (u *UI) Environ() []string { return slices.Clone(u.environ) }

// Unicode tells whether the terminal shows more than ASCII: unless the locale says
// otherwise, as terminals do today. In a container nobody sets one.
func (u *UI) Unicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(u.Getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true
}

// A Screen is a stream that people or programs read.
type Screen struct {
	raw    io.Writer
	styled *colorprofile.Writer
	file   *os.File // nil: not a terminal
	ui     *UI

	mu   sync.Mutex // orders what is written
	live *Live      // that is on the screen below what was written; nil: none
}

func newScreen(w io.Writer, u *UI) *Screen {
	s := &Screen{raw: w, ui: u}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.file = f
		obey(f)
	}
	s.styled = colorprofile.NewWriter(w, u.environ)
	return s
}

// Terminal tells whether a person is looking.
func (s *Screen) Terminal() bool { return s.file != nil }

// Lively tells whether what was written can be written over: on a terminal that
// moves its cursor.
func (s *Screen) Lively() bool { return s.Terminal() && s.ui.Getenv("TERM") != "dumb" }

// Width is how many columns there are: 80 if nobody knows.
func (s *Screen) Width() int {
	w, _ := s.size()
	return w
}

// Height is how many lines there are: 24 if nobody knows.
func (s *Screen) Height() int {
	_, h := s.size()
	return h
}

func (s *Screen) size() (w, h int) {
	if s.file != nil {
		if w, h, err := term.GetSize(int(s.file.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	if w, err := strconv.Atoi(s.ui.Getenv("COLUMNS")); err == nil && w > 0 && s.Terminal() {
		return w, 24
	}
	return 80, 24
}

// Raw is the stream itself, for what is passed on byte by byte. On a terminal use
// [Visible].
func (s *Screen) Raw() io.Writer { return s.raw }

// Write writes text of the program's own. Its styles become what the terminal
// shows, or nothing (https://no-color.org). It takes the place of a [Live] that is on
// the screen.
func (s *Screen) Write(p []byte) (int, error) {
	if s == s.ui.Out && s.Terminal() {
		s.ui.Err.settle() // mostly the same terminal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	return s.styled.Write(p)
}

// Printf writes text of the program's own. What comes from elsewhere goes through
// [Text] first.
func (s *Screen) Printf(format string, args ...any) { fmt.Fprintf(s, format, args...) }

// Println writes a line of the program's own.
func (s *Screen) Println(line string) { s.Printf("%s\n", line) }

// JSON writes v as JSON: indented for people, on one line for programs.
func (s *Screen) JSON(v any) error {
	w := s.raw
	if s.Terminal() {
		w = Visible(w)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if s.Terminal() {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}
