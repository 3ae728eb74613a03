package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Dex is a running dex (github.com/dexidp/dex): it rotates refresh tokens and
// keeps one for each user and client. A used one is refused, in words of its own,
// and ends nothing. What it knows is in a database, so it can be restarted.
type Dex struct {
	Issuer string
	server *server
	t      testing.TB
}

// StartDex starts one of the test's own. Its service is "dex". knobs are
// environment variables of its start script, such as AT_TTL=2 for access tokens of
// two seconds, or GRACE=30.
func StartDex(t testing.TB, knobs ...string) *Dex {
	t.Helper()
	s := start(t, "dex", 1, []string{"bash", "go", "gcc", "curl"}, knobs)
	return &Dex{Issuer: s.vars["ISSUER"], server: s, t: t}
}

// Kill kills the server, and returns what starts it again over the same database.
func (d *Dex) Kill() (again func()) { return d.server.kill(d.t) }

// Database returns the file of its SQLite database.
func (d *Dex) Database() string { return filepath.Join(d.server.vars["DATA"], "dex.db") }

// Configure replaces a text of the configuration, and restarts the server with it.
func (d *Dex) Configure(old, text string) {
	d.t.Helper()
	name := filepath.Join(d.server.vars["DATA"], "dex.yaml")
	data, err := os.ReadFile(name)
	if err != nil {
		d.t.Fatal(err)
	}
	if strings.Count(string(data), old) != 1 {
		d.t.Fatalf("%q is not in the configuration once", old)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(data), old, text, 1)), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.Kill()()
}
