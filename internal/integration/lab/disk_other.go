//go:build !linux

package lab

import (
	"errors"
	"testing"
)

// SmallDisk returns a directory on a file system of its own with room for that
// many bytes. There is none on this system.
func SmallDisk(t testing.TB, _ int) string {
	t.Helper()
	Require(t, "tmpfs", errors.New("run the tests on Linux, as root"))
	return ""
}
