// Package filelock locks a file against the other processes of the host, and
// against other holders in this one.
package filelock

import (
	"context"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// Polling begins often, because most locks are held for a file write only, and
// slows down for those that are held for a network call.
const (
	firstDelay = time.Millisecond
	lastDelay  = 25 * time.Millisecond
)

// Lock waits until it holds the lock of the file at path, or until ctx ends. The
// file is created with mode 0600 if need be, in a directory that must exist. The
// system frees the lock when its holder dies, however it dies. Calling unlock
// again does nothing.
//
// Nobody may ever delete the file: two processes could then hold the locks of
// two files of one name.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	// Writable, because NFS turns flock into a byte-range lock, which a
	// descriptor that can only read does not get.
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(0o600))
	for delay := firstDelay; ; delay = min(2*delay, lastDelay) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		locked, err := lock.TryLock()
		if err != nil {
			return nil, err
		}
		if locked {
			return func() { _ = lock.Unlock() }, nil
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}
