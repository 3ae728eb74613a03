//go:build unix

package filelock

import "syscall"

// noFollow makes a symbolic link an error: the lock would be somebody else's.
const noFollow = syscall.O_NOFOLLOW
