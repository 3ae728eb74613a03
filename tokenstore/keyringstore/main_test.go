package keyringstore

import (
	"os"
	"testing"

	"github.com/zalando/go-keyring"
)

// home is that of whoever runs the tests, which the go command needs.
var home = os.Getenv("HOME")

// No test may touch the keychain, or the grants, of whoever runs it.
func TestMain(m *testing.M) {
	if items := os.Getenv(securityVariable); items != "" {
		os.Exit(security(items, os.Args[1:], os.Stdin))
	}
	keyring.MockInit()
	elsewhere, err := os.MkdirTemp("", "regrant-keyringstore-")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "LocalAppData"} {
		os.Setenv(name, elsewhere)
	}
	os.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent") // nobody asks it
	status := m.Run()
	_ = os.RemoveAll(elsewhere)
	os.Exit(status)
}
