package ui

import (
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
)

// A Live is a few lines at the bottom of what was written, which change: a
// countdown, a progress bar. On a stream that is not lively it shows nothing.
type Live struct {
	screen *Screen

	mu    sync.Mutex
	lines int // that are on the screen
}

// Live returns lines that show nothing yet.
func (s *Screen) Live() *Live { return &Live{screen: s} }

// Show replaces what is shown. Each line is cut to the width of the terminal, so
// that it takes one row of it.
func (l *Live) Show(text string) {
	if !l.screen.Lively() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	width := l.screen.Width()
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	var b strings.Builder
	b.WriteString(l.home())
	for _, line := range lines {
		b.WriteString(ansi.Truncate(line, width-1, "…") + ansi.EraseLineRight + "\n")
	}
	b.WriteString(ansi.EraseScreenBelow)
	l.lines = len(lines)
	l.screen.Printf("%s", b.String()) // at once, so that nothing flickers
}

// Clear takes away what is shown.
func (l *Live) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines > 0 {
		l.screen.Printf("%s", l.home()+ansi.EraseScreenBelow)
		l.lines = 0
	}
}

// home moves to the first line.
func (l *Live) home() string {
	if l.lines == 0 {
		return ""
	}
	return ansi.CursorUp(l.lines) + "\r"
}
