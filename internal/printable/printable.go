// Package printable makes text from a server fit to be shown to a person: an
// error_description, the user code and the verification URI of RFC 8628 come
// over the network, and a terminal obeys what it is sent.
package printable

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape is a control sequence (ECMA-48 section 5.4), or a control string such
// as the one that sets the title of a window (section 5.6), with all that
// belongs to it. A control string without an end is not one.
var escape = regexp.MustCompile(`(?:\x1b\[|\x{9b})[0-?]*[ -/]*[@-~]` +
	`|(?:\x1b[P\]X^_]|[\x{90}\x{9d}\x{98}\x{9e}\x{9f}])[^\x07\x1b\x{9c}]*(?:\x07|\x1b\\|\x{9c})` +
	`|\x1b[ -/]*[0-~]`)

// Text returns s as one line of at most n characters. Left out are escape
// sequences, control characters, what changes the direction of the text, what
// cannot be seen, and what is not UTF-8; all white space in a row becomes one
// space. A longer text ends in "…". What is fit already comes back as it is,
// so s == Text(s, n) tells whether it was.
func Text(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	s = escape.ReplaceAllString(s, "")
	s = strings.Join(strings.Fields(strings.Map(visible, s)), " ")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n <= 0 {
		return ""
	}
	runes := []rune(s)
	return strings.TrimRight(string(runes[:n-1]), " ") + "…"
}

// visible maps a character to itself if a person can see it, to a space if it
// separates words, and otherwise to nothing.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r), unicode.Is(unicode.Z, r), r == '\u2800': // the empty Braille pattern
		return ' '
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return -1 // such as the Hangul fillers, which count as letters
	case unicode.IsPrint(r):
		return r
	}
	return -1
}
