package lab

import (
	"path/filepath"
	"testing"
)

// StartPostgreSQL starts a PostgreSQL of the test's own, and returns the unix
// socket that it listens on. Its user is postgres, without a password, and its
// database is postgres. It is as durable as PostgreSQL is by itself. Its service
// is "postgresql".
func StartPostgreSQL(t testing.TB) (socket string) {
	t.Helper()
	d := newDaemon("postgres", "ready to accept connections", "QUIT")
	const versions = "/usr/lib/postgresql/*/bin"
	initdb, postgres := d.program("initdb", versions), d.program("postgres", versions)
	Require(t, "postgresql", d.problem)
	d.place(t)
	data := filepath.Join(d.dir, "data")
	d.run(t, initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	d.serve(t, postgres, "-D", data, "-k", d.dir, "-h", "", "-N", "500") // connections, of many processes
	return filepath.Join(d.dir, ".s.PGSQL.5432")
}
