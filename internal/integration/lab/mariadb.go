package lab

import (
	"path/filepath"
	"testing"
)

// StartMariaDB starts a MariaDB of the test's own, and returns the unix socket
// that it listens on. Its user is root, without a password, and its database is
// test. It is as durable as MariaDB is by itself. Its service is "mariadb".
func StartMariaDB(t testing.TB) (socket string) {
	t.Helper()
	d := newDaemon("mysql", "ready for connections", "KILL")
	install, mariadbd := d.program("mariadb-install-db"), d.program("mariadbd", "/usr/sbin")
	Require(t, "mariadb", d.problem)
	d.place(t)
	data, socket := filepath.Join(d.dir, "data"), filepath.Join(d.dir, "socket")
	d.run(t, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal")
	d.serve(t, mariadbd, "--no-defaults", "--datadir="+data, "--socket="+socket, "--skip-networking", "--max-connections=500") // of many processes
	return socket
}
