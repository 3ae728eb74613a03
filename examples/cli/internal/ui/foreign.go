package ui

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Text makes text from elsewhere fit for a terminal: one line of at most n
// characters, without escape sequences, control characters, and what changes the
// direction of text or cannot be seen. A longer text ends in "…".
func Text(s string, n int) string {
	s = ansi.Strip(sevenBit(strings.ToValidUTF8(s, "")))
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case seen(r):
			return r
		}
		return -1
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:max(n-1, 0)]) + "…"
}

// sevenBit writes C1 controls as the escape sequences that they stand for (ECMA-48
// section 5.3), so that they go with all that belongs to them.
func sevenBit(s string) string {
	if !strings.ContainsFunc(s, isC1) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isC1(r) {
			b.WriteByte(0x1b)
			r -= 0x40
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isC1(r rune) bool { return r >= 0x80 && r < 0xa0 }

// Name is Text for names, which are short.
func Name(s string) string { return Text(s, 200) }

// seen tells whether a person can see r, and it is no more than that.
func seen(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Visible returns a writer to a terminal for text from elsewhere: lines and tabs
// stay, and what a terminal would obey is written as an escape of JSON and Go
// (\u001b), so that nothing is hidden.
func Visible(w io.Writer) io.Writer { return &visible{w: w} }

type visible struct {
	w    io.Writer
	rest []byte // the beginning of a character, or of the end of a line
}

// Write writes p. A character whose end is missing waits for it.
func (v *visible) Write(p []byte) (int, error) {
	data := append(v.rest, p...) //nolint:gocritic // rest is replaced below
	var b strings.Builder
	for len(data) > 0 && utf8.FullRune(data) && string(data) != "\r" { // a line may end next time
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, data[0])
		case r == '\n', r == '\t', seen(r):
			b.WriteRune(r)
		case r == '\r' && size < len(data) && data[size] == '\n': // the end of a line of HTTP and of Windows
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		data = data[size:]
	}
	v.rest = append([]byte(nil), data...)
	if _, err := io.WriteString(v.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}
