package keyringstore

import (
	"errors"

	"golang.org/x/sys/windows"
)

func reachable() error { return nil }

// noLogonSession tells that this process has no credentials of a user: it is a
// service, or was started over SSH.
func noLogonSession(err error) bool { return errors.Is(err, windows.ERROR_NO_SUCH_LOGON_SESSION) }
