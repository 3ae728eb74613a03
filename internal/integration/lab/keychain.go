package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// A SessionBus is a D-Bus session bus of the test's own, on which nobody is.
type SessionBus struct {
	Address string // a program finds it by DBUS_SESSION_BUS_ADDRESS

	d *daemon
}

// StartSessionBus starts one. Its service is "gnome-keyring", which is what it is
// for.
func StartSessionBus(t testing.TB) *SessionBus {
	t.Helper()
	d := newDaemon("", "unix:path=", "KILL")
	program := d.program("dbus-daemon")
	d.program("gnome-keyring-daemon")
	Require(t, "gnome-keyring", d.problem)
	d.place(t)
	b := &SessionBus{"unix:path=" + filepath.Join(d.dir, "bus"), d}
	config := filepath.Join(d.dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, b.Address), 0o600); err != nil {
		t.Fatal(err)
	}
	d.serve(t, program, "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	return b
}

// busConfig lets nobody be started by a message.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// Connect connects to the bus.
func (b *SessionBus) Connect(t testing.TB) *dbus.Conn {
	t.Helper()
	c, err := dbus.Connect(b.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// SecretService is the name of whoever keeps passwords on a bus.
const SecretService = "org.freedesktop.secrets"

const (
	keychainPassword = "the password of the user"
	passwordFile     = "password"
)

// StartKeychain starts a GNOME Keyring on the bus, with what an earlier one on it
// has kept. It is unlocked, as for a user who has logged in, or stays locked, and
// nobody is there to be asked.
func (b *SessionBus) StartKeychain(t testing.TB, unlocked bool) {
	t.Helper()
	for _, name := range []string{"data", "run"} {
		if err := os.MkdirAll(filepath.Join(b.d.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	password := filepath.Join(b.d.dir, passwordFile)
	if err := os.WriteFile(password, []byte(keychainPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	k := newDaemon("", "", "KILL")
	k.dir = b.d.dir
	command := []string{"env", "-u", "DISPLAY", "-u", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS=" + b.Address,
		"XDG_DATA_HOME=" + filepath.Join(k.dir, "data"), "XDG_RUNTIME_DIR=" + filepath.Join(k.dir, "run"),
		"sh", "-c", `exec "$@" <` + passwordFile, "sh", "gnome-keyring-daemon", "--foreground", "--components=secrets"}
	if unlocked {
		command = append(command, "--unlock") // with what it reads
	}
	k.serve(t, command...)
	bus := b.Connect(t).BusObject()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		var there bool
		if err := bus.Call("org.freedesktop.DBus.NameHasOwner", 0, SecretService).Store(&there); err != nil {
			t.Fatal(err)
		}
		if there {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatal("gnome-keyring-daemon has not come to the bus after a minute")
		}
	}
}

// KillKeychain kills the keychain as kill -9 does, and returns when it has left the
// bus.
func (b *SessionBus) KillKeychain(t testing.TB) {
	t.Helper()
	bus := b.Connect(t).BusObject()
	var pid uint32
	if err := bus.Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, SecretService).Store(&pid); err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(int(pid))
	if err == nil {
		err = p.Kill()
	}
	for there := true; err == nil && there; time.Sleep(time.Millisecond) {
		err = bus.Call("org.freedesktop.DBus.NameHasOwner", 0, SecretService).Store(&there)
	}
	if err != nil {
		t.Fatal(err)
	}
}
