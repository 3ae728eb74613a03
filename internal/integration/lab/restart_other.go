//go:build !linux

package lab

import "testing"

// kill is for Linux, as the scripts are that start servers.
func (s *server) kill(t testing.TB) (again func()) {
	t.Helper()
	t.Fatal("servers can be restarted on Linux only")
	return nil
}
