//go:build unix

package cli_test

import (
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

func TestAKeychainThatIsGoneIsSaidToBeGone(t *testing.T) {
	t.Parallel()
	s := clienttest.NewServer(t)
	m := newMachine(t, "curl", "-sSL", "-o", "/dev/null")
	bus := lab.StartSessionBus(t)
	bus.StartKeychain(t, true)
	m.env = append(m.env, "DBUS_SESSION_BUS_ADDRESS="+bus.Address)
	m.must("login", s.Issuer(), "--client-id", clienttest.PublicClient)
	m.must("token")
	bus.KillKeychain(t)
	o := m.run("token")
	if o.code != 6 || !strings.Contains(o.err, "keychain") {
		t.Errorf("exit code %d: %s", o.code, o.err)
	}
	bus.StartKeychain(t, true)
	m.must("token")
	if n := m.opened(); n != 1 {
		t.Errorf("the browser was opened %d times, want once", n)
	}
}
