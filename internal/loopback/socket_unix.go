//go:build unix

package loopback

import "golang.org/x/sys/unix"

// exclusive switches off what package net switches on (RFC 8252 appendix B.5).
func exclusive(fd uintptr) error {
	return unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 0)
}

// resetKeepsData: what has arrived can be read after a reset of the connection.
const resetKeepsData = true
