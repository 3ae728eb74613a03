package ui

import (
	"context"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// Watch shows frames on a screen of their own until ctx ends, whose cause it returns.
// What was on the terminal before is there again then, with the last frame below.
func (s *Screen) Watch(ctx context.Context, frame func(now time.Time) (string, error)) error {
	last, shown := "", ""
	s.Printf("%s", ansi.SetModeAltScreenSaveCursor+ansi.ResetModeTextCursorEnable)
	defer func() {
		s.Printf("%s", ansi.SetModeTextCursorEnable+ansi.ResetModeAltScreenSaveCursor)
		s.Printf("%s", last)
	}()
	tick := time.NewTicker(200 * time.Millisecond) // a window that changes its size soon looks right
	defer tick.Stop()
	for {
		next, err := frame(time.Now())
		if err != nil {
			return err
		}
		last = next
		if page := s.page(last + "\n" + Faint("^C ends")); page != shown {
			// What was there is written over, all at once where the terminal can do
			// that, so that nothing flickers.
			s.Printf("%s", ansi.SetModeSynchronizedOutput+ansi.CursorHomePosition+page+ansi.ResetModeSynchronizedOutput)
			shown = page
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// page is text as it fills the screen: each line cut to its width, and no more lines
// than there are.
func (s *Screen) page(text string) string {
	w, h := s.size()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	lines = lines[:min(len(lines), h)]
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, w, "…") + ansi.EraseLineRight
	}
	return strings.Join(lines, "\r\n") + ansi.EraseScreenBelow
}
