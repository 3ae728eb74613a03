//go:build unix

package loopback_test

import (
	"net/url"
	"os"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// intruders are the ways to ask for a port that somebody else has.
var intruders = map[string]func(network, address string, c syscall.RawConn) error{
	"SO_REUSEADDR": nil, // which package net sets by itself
	"SO_REUSEADDR and SO_REUSEPORT": func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
	},
}

func TestThePortIsNotDeclaredReusable(t *testing.T) {
	l := begin(t, "http://127.0.0.1/cb")
	u, _ := url.Parse(l.RedirectURI())
	found := false
	for _, fd := range openSockets(t) {
		address, err := unix.Getsockname(fd)
		in, ok := address.(*unix.SockaddrInet4)
		listening, listeningErr := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		if err != nil || !ok || listeningErr != nil || listening == 0 || strconv.Itoa(in.Port) != u.Port() {
			continue
		}
		found = true
		for name, option := range map[string]int{"SO_REUSEADDR": unix.SO_REUSEADDR, "SO_REUSEPORT": unix.SO_REUSEPORT} {
			if value, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err != nil || value != 0 {
				t.Errorf("%s is %d, %v", name, value, err)
			}
		}
	}
	if !found {
		t.Error("the listening socket was not found")
	}
}

// openSockets are the descriptors of this process.
func openSockets(t *testing.T) (fds []int) {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip("this system does not list descriptors: ", err)
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds
}
