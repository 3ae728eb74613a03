package lab

import (
	"fmt"
	"syscall"
	"testing"
)

// SmallDisk returns a directory on a file system of its own with room for that
// many bytes, which takes root. Without it the service "tmpfs" is missing.
func SmallDisk(t testing.TB, size int) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, fmt.Sprintf("size=%d,mode=0700", size))
	if err != nil {
		err = fmt.Errorf("a tmpfs cannot be mounted (%w): run the tests as root", err)
	}
	Require(t, "tmpfs", err)
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("the tmpfs at %s stays mounted: %v", dir, err)
		}
	})
	return dir
}
