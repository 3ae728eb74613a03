package loopback_test

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// intruders are the ways to ask for a port that somebody else has.
var intruders = map[string]func(network, address string, c syscall.RawConn) error{
	"nothing": nil,
	"SO_REUSEADDR": func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
		})
	},
}
