package main

import (
	"io"
	"os"
	"runtime"
)

// A style is how a terminal shows text (ECMA-48 8.3.117).
type style string

const (
	plain style = ""
	bold  style = "1"
	faint style = "2"
	red   style = "1;31"
	green style = "32"
)

// A painter colours text, if that is for a terminal whose user wants colours
// (https://no-color.org).
type painter bool

func newPainter(out io.Writer) painter {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	if runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == "" && os.Getenv("TERM") == "" {
		return false // an old console prints the codes
	}
	info, err := f.Stat()
	return painter(err == nil && info.Mode()&os.ModeCharDevice != 0)
}

func (p painter) paint(s style, text string) string {
	if !p || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}
