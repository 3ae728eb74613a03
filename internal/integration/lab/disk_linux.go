package lab

import (
	"fmt"
	"sync"
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

// ReadOnly makes a directory read-only for whoever opens a file in it from now
// on, whoever that is, until writable is called. It takes root. Without it the
// service "read-only" is missing.
func ReadOnly(t testing.TB, dir string) (writable func()) {
	t.Helper()
	err := syscall.Mount(dir, dir, "", syscall.MS_BIND, "")
	if err == nil {
		err = syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	}
	if err != nil {
		err = fmt.Errorf("a directory cannot be mounted read-only (%w): run the tests as root", err)
	}
	Require(t, "read-only", err)
	writable = sync.OnceFunc(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("%s stays read-only: %v", dir, err)
		}
	})
	t.Cleanup(writable)
	return writable
}
