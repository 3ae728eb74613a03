//go:build !windows

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

func inUse(error) bool { return false }

// SyncDir flushes a directory to the disk, so that the names in it survive a
// power cut. File systems that cannot do that (some network and FUSE ones) have
// nothing better to offer.
func SyncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
