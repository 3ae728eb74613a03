//go:build unix

package ui

import "os"

// obey does nothing: terminals obey.
func obey(*os.File) {}

// console opens the terminal of the process, wherever its streams lead.
func console() (in, out *os.File, err error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	return f, f, err
}
