package ui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Wrap breaks text between words into lines of at most width columns. All but the first
// begin with indent, which does not count.
func Wrap(text string, width int, indent string) string {
	return strings.ReplaceAll(ansi.Wordwrap(text, width, ""), "\n", "\n"+indent)
}
