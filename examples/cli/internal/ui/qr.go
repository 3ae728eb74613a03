package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
	"rsc.io/qr"
)

// quiet is the margin of a QR code in modules. ISO/IEC 18004 wants four; cameras
// make do with two, and small windows cannot spare more.
const quiet = 2

// QR returns text as a QR code for the screen, or "" if it does not fit beside that
// many other lines: two modules in one character, in black on white whatever the
// theme is.
func (s *Screen) QR(text string, lines int) string {
	code, err := qr.Encode(text, qr.L)
	if err != nil || !s.ui.Unicode() || !s.Terminal() {
		return ""
	}
	side := code.Size + 2*quiet
	if side > s.Width() || (side+1)/2+lines > s.Height() {
		return ""
	}
	white := func(x, y int) bool { return !code.Black(x-quiet, y-quiet) } // also outside of it
	style := ansi.NewStyle().ForegroundColor(ansi.BrightWhite).BackgroundColor(ansi.Black)
	var b strings.Builder
	for y := 0; y < side; y += 2 {
		var line strings.Builder
		for x := range side {
			switch top, bottom := white(x, y), white(x, y+1); {
			case top && bottom:
				line.WriteRune('█')
			case top:
				line.WriteRune('▀')
			case bottom:
				line.WriteRune('▄')
			default:
				line.WriteRune(' ')
			}
		}
		b.WriteString(style.Styled(line.String()) + "\n")
	}
	return b.String()
}
