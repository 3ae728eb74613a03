//go:build unix

package main

import (
	"flag"

	"github.com/regrant/regrant/internal/terminal"
)

var update = flag.Bool("update", false, "write the golden screens and the pictures of the manual anew")

// open runs the program in a terminal of that size.
func (h *home) open(columns, rows int, args ...string) *terminal.Terminal {
	h.t.Helper()
	return terminal.Open(h.t, h.with("TERM=xterm-256color").command(args...), columns, rows)
}
