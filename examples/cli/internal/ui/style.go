package ui

import "github.com/charmbracelet/x/ansi"

// The styles. The colours are those of the user's theme, and only help: whatever
// they say is said by a word as well.

// Bold marks what to look at.
func Bold(s string) string { return ansi.NewStyle().Bold().Styled(s) }

// Faint marks what can be skipped.
func Faint(s string) string { return ansi.NewStyle().Faint().Styled(s) }

// Good marks what is well.
func Good(s string) string { return coloured(ansi.Green, s) }

// Warn marks what will not be well for long.
func Warn(s string) string { return coloured(ansi.Yellow, s) }

// Bad marks what is not well.
func Bad(s string) string { return coloured(ansi.Red, s) }

// Accent marks what to type, or to open.
func Accent(s string) string { return coloured(ansi.Cyan, s) }

func coloured(c ansi.Color, s string) string { return ansi.NewStyle().ForegroundColor(c).Styled(s) }
