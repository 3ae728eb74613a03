package lab

import (
	"path/filepath"
	"testing"
)

// A PostgreSQL is a server of the test's own. Its user is postgres, without a
// password, and its database is postgres. It is as durable as PostgreSQL is by
// itself.
type PostgreSQL struct {
	Socket string // the unix socket that it listens on

	t       testing.TB
	daemon  *daemon
	command []string
	stop    func()
}

// StartPostgreSQL starts a PostgreSQL. Its service is "postgresql".
func StartPostgreSQL(t testing.TB) *PostgreSQL {
	t.Helper()
	d := newDaemon("postgres", "ready to accept connections", "QUIT")
	const versions = "/usr/lib/postgresql/*/bin"
	initdb, postgres := d.program("initdb", versions), d.program("postgres", versions)
	Require(t, "postgresql", d.problem)
	d.place(t)
	data := filepath.Join(d.dir, "data")
	d.run(t, initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	p := &PostgreSQL{
		t: t, daemon: d, Socket: filepath.Join(d.dir, ".s.PGSQL.5432"),
		command: []string{postgres, "-D", data, "-k", d.dir, "-h", "", "-N", "500"}, // connections, of many processes
	}
	p.Start()
	return p
}

// Start starts the server again after Kill, which recovers from its log.
func (p *PostgreSQL) Start() {
	p.t.Helper()
	p.stop = p.daemon.serve(p.t, p.command...)
}

// Kill ends the server at once, as a crash does: it cuts every connection and writes
// nothing more.
func (p *PostgreSQL) Kill() { p.stop() }
