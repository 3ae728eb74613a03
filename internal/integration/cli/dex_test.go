//go:build unix

package cli_test

import (
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/integration/lab"
)

// TestDoctorAtDex: it rotates, refuses what comes twice, and ends nothing for it; and
// it has one refresh token for each user and client, which a new login replaces.
func TestDoctorAtDex(t *testing.T) {
	t.Parallel()
	d := lab.StartDex(t)
	m := newMachine(t, append(lab.UserCommand(t), "--user", "alice@lab.test")...).unlocked()
	login := []string{"login", d.Issuer, "--client-id", lab.PublicClient, "--redirect-url", "http://localhost/cb"}
	m.must(login...)
	m.must("token", "--refresh")
	examine(t, m, map[string]string{
		"discovery": "describes itself", "revocation": "no way to revoke",
		"rotation": "replaces the refresh token", "reuse": "works once", "family": "goes on", "logout": "forgotten here",
	})
	if o := m.run("token", "--refresh"); o.code != 3 || !strings.Contains(o.err, "regrant login") {
		t.Errorf("dex has replaced the grant: exit code %d, %s", o.code, o.err)
	}
	m.must(login...)
	m.must("token", "--refresh")
}
