package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// inUse tells an error that goes away when another process closes the file. A
// file that is open elsewhere and deleted already answers "access denied".
func inUse(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
		errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

// SyncDir does nothing: Windows does not let a directory be flushed.
func SyncDir(*os.Root) error { return nil }
