package forward

import (
	"errors"
	"net"
	"os"
	"path/filepath"
)

// Listen listens on a port of this machine, and returns the names of the proxy there.
func Listen(address string) (net.Listener, []string, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !loopback(host) {
		return nil, nil, errors.New("the proxy listens on this machine only: 127.0.0.1:PORT, with port 0 for any")
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	names := []string{net.JoinHostPort("localhost", port), net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	if port == "80" {
		names = append(names, "localhost", "127.0.0.1", "[::1]")
	}
	return l, append(names, l.Addr().String()), nil
}

// ListenUnix listens on a socket that is the user's alone. It must not exist, and is
// removed when the listener is closed.
func ListenUnix(path string) (net.Listener, error) {
	// It is made in a directory that nobody else can enter, and moved when it is
	// closed to others: between bind and chmod anybody could connect.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".regrant-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // empty by then
	if _, err := os.Lstat(path); err == nil {
		return nil, errors.New(path + " is there already: if no proxy uses it any more, remove it")
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	name := filepath.Join(dir, "s")
	if err = os.Chmod(name, 0o600); err == nil {
		err = os.Rename(name, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &socket{l, path}, nil
}

// A socket is removed when it is closed.
type socket struct {
	net.Listener
	path string
}

// Close stops listening, and removes the socket.
func (s *socket) Close() error { return errors.Join(s.Listener.Close(), os.Remove(s.path)) }
