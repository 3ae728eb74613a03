package loopback

import "golang.org/x/sys/windows"

// exclusive keeps other programs from taking over the port, which on Windows
// SO_REUSEADDR of theirs alone would allow (RFC 8252 appendix B.3).
func exclusive(fd uintptr) error {
	const exclusiveAddrUse = ^windows.SO_REUSEADDR // SO_EXCLUSIVEADDRUSE of winsock2.h
	return windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, exclusiveAddrUse, 1)
}

// resetKeepsData: a reset takes what has arrived and was not read.
const resetKeepsData = false
