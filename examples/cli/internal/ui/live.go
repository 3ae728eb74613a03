package ui

import (
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// A Live is a few lines at the bottom of what was written, which change: a
// countdown, a progress bar. On a stream that is not lively it shows nothing. What is
// written to the screen takes its place.
type Live struct {
	screen *Screen
	lines  int // that are on the screen; the screen's mutex guards it
}

// Live returns lines that show nothing yet.
func (s *Screen) Live() *Live { return &Live{screen: s} }

// Show replaces what is shown. Each line is cut to the width of the terminal, so
// that it takes one row of it.
func (l *Live) Show(text string) {
	s := l.screen
	if !s.Lively() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != l {
		s.clear()
	}
	width := s.Width()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	var b strings.Builder
	b.WriteString(l.home())
	for _, line := range lines {
		b.WriteString(ansi.Truncate(line, width-1, "…") + ansi.EraseLineRight + "\n")
	}
	b.WriteString(ansi.EraseScreenBelow)
	s.live, l.lines = l, len(lines)
	_, _ = io.WriteString(s.styled, b.String()) // at once, so that nothing flickers
}

// Clear takes away what is shown, if it still is.
func (l *Live) Clear() {
	s := l.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == l {
		s.clear()
	}
}

// settle takes away what is live.
func (s *Screen) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

// clear takes away what is live. The mutex is held.
func (s *Screen) clear() {
	if l := s.live; l != nil {
		_, _ = io.WriteString(s.styled, l.home()+ansi.EraseScreenBelow)
		s.live, l.lines = nil, 0
	}
}

// home moves to the first line.
func (l *Live) home() string {
	if l.lines == 0 {
		return ""
	}
	return ansi.CursorUp(l.lines) + "\r"
}
