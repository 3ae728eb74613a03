package keychain_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/regrant/regrant/internal/integration/crash"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

// The tests of a keychain that works are under one name, so that it is started once.
func TestGNOMEKeyring(t *testing.T) {
	t.Parallel()
	bus := lab.StartSessionBus(t)
	bus.StartKeychain(t, true)
	newPlace := func(t testing.TB) place { return place{bus.Address, directory(t)} }
	t.Run("the contract is kept", func(t *testing.T) {
		p := newPlace(t)
		tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return p.store() })
	})
	t.Run("what the server gave comes back whole", func(t *testing.T) { fleet.KeepsWhole(t, at, newPlace(t).String(), 64<<10) })
	t.Run("how long Load and Save take", func(t *testing.T) { latency(t, newPlace(t)) })
	t.Run("a key that is deleted is lost", func(t *testing.T) {
		before := items(t, bus)
		deleted(t, newPlace(t), func() {
			for account, path := range items(t, bus) {
				if before[account] != "" {
					continue
				}
				if err := bus.Connect(t).Object(lab.SecretService, path).Call("org.freedesktop.Secret.Item.Delete", 0).Err; err != nil {
					t.Fatal(err)
				}
			}
		})
		if now := items(t, bus); len(now) != len(before) {
			t.Error("a new key was made in silence")
		}
	})
	t.Run("twenty processes survive every expiry", func(t *testing.T) {
		fleet.SurvivesEveryExpiry(t, at, newPlace(t).String())
	})
	diesInARotation(t, bus, newPlace)
}

// A field case: internal/docs/field-cases.md has the list.
func TestFieldCase_hey_cli_165_TwentyFirstRunsAtOnceMakeOneKey(t *testing.T) {
	t.Parallel()
	bus := lab.StartSessionBus(t)
	bus.StartKeychain(t, true)
	firstRuns(t, place{bus.Address, directory(t)}, func() int { return len(items(t, bus)) })
}

func diesInARotation(t *testing.T, bus *lab.SessionBus, newPlace func(testing.TB) place) {
	store := crash.Store{Open: at, Place: func(t testing.TB) string { return newPlace(t).String() }}
	t.Run("nothing but its answer and its save is between a commit and its record", store.NothingElseIsInTheWindow)
	t.Run("a holder that is stopped past its lease logs nobody out", func(t *testing.T) {
		t.Parallel()
		store.SurvivesAStoppedHolder(t)
	})
	t.Run("killing the holder costs no login at a server with a grace period", func(t *testing.T) {
		t.Parallel()
		store.SurvivesKills(t)
	})
	t.Run("killing the holder loses a grant only with its answer", func(t *testing.T) {
		t.Parallel()
		store.LosesOnlyTheUnavoidable(t)
	})
	t.Run("a disk that fails during a rotation loses nothing", func(t *testing.T) {
		t.Parallel()
		disk := crash.Disk{Open: at, Place: func(_ testing.TB, dir string) string {
			return place{Bus: bus.Address, Dir: filepath.Join(dir, "grants")}.String()
		}}
		disk.SurvivesTrouble(t)
		t.Run("a directory that becomes read-only", disk.SurvivesAReadOnlyDirectory)
	})
}

// items returns the entries of regrant in the keychain, by account.
func items(t testing.TB, bus *lab.SessionBus) map[string]dbus.ObjectPath {
	t.Helper()
	c := bus.Connect(t)
	var found []dbus.ObjectPath
	err := c.Object(lab.SecretService, "/org/freedesktop/secrets/collection/login").
		Call("org.freedesktop.Secret.Collection.SearchItems", 0, map[string]string{"service": program}).Store(&found)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]dbus.ObjectPath{}
	for _, path := range found {
		v, err := c.Object(lab.SecretService, path).GetProperty("org.freedesktop.Secret.Item.Attributes")
		if err != nil {
			t.Fatal(err)
		}
		all[v.Value().(map[string]string)["username"]] = path
	}
	return all
}

// latency tells what a rotation waits for, and what the key costs that the first
// call of a process fetches.
func latency(t *testing.T, p place) {
	began := time.Now()
	if _, err := p.store().Save(t.Context(), key, []byte("data"), ""); err != nil {
		t.Fatal(err)
	}
	t.Logf("the first Save of all, which makes the key: %v", time.Since(began).Round(10*time.Microsecond))
	var firsts []time.Duration
	for range 20 {
		began = time.Now()
		if _, _, err := p.store().Load(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		firsts = append(firsts, time.Since(began))
	}
	t.Logf("the first Load of a process, which fetches the key: %s", fleet.Spread(firsts))
	fleet.HowLong(t, p.store())
}

// everything is what a program does with a keychain that does not work.
var everything = []order{{Do: "check"}, {Do: "load", Account: "alice"}, {Do: "save", Account: "alice", Data: "data"}}

func TestALockedKeychainIsThere(t *testing.T) {
	t.Parallel()
	bus := lab.StartSessionBus(t)
	p := place{bus.Address, directory(t)}
	bus.StartKeychain(t, true)
	if r := start(t, p).do(order{Do: "save", Account: "alice", Data: "data"}); r.Error != "" {
		t.Fatal(r.Error)
	}
	bus.KillKeychain(t)
	bus.StartKeychain(t, false)
	u := start(t, p)
	empty := start(t, place{p.Bus, p.Dir + "-empty"})
	for _, o := range everything[:2] {
		for _, u := range []user{u, empty} {
			if r := u.do(o); r.Unavailable || r.Lost || r.NotFound || !strings.Contains(r.Error, "locked") {
				t.Errorf("%s: %q", o.Do, r.Error)
			}
		}
	}
	bus.KillKeychain(t)
	bus.StartKeychain(t, true)
	if r := u.do(order{Do: "load", Account: "alice"}); r.Data != "data" {
		t.Errorf("unlocked: %q", r.Error)
	}
}

// A process that has the key does not need the keychain any more, and one that has
// not finds it when it is back.
func TestAKeychainThatIsKilledAndStartedAgainIsUsedAgain(t *testing.T) {
	t.Parallel()
	bus := lab.StartSessionBus(t)
	bus.StartKeychain(t, true)
	p := place{bus.Address, directory(t)}
	first, second := start(t, p), start(t, p)
	if r := second.do(order{Do: "check"}); r.Error != "" { // it is connected
		t.Error(r.Error)
	}
	if r := first.do(order{Do: "save", Account: "alice", Data: "data"}); r.Error != "" {
		t.Fatal(r.Error)
	}
	bus.KillKeychain(t)
	if r := first.do(order{Do: "save", Account: "bob", Data: "data"}); r.Error != "" {
		t.Errorf("with the key, without a keychain: %s", r.Error)
	}
	if r := second.do(order{Do: "load", Account: "alice"}); r.Error == "" || r.Lost || r.NotFound {
		t.Errorf("without the key and a keychain: %q", r.Error)
	}
	bus.StartKeychain(t, true)
	for _, account := range []string{"alice", "bob"} {
		if r := second.do(order{Do: "load", Account: account}); r.Data != "data" {
			t.Errorf("%s: %q", account, r.Error)
		}
	}
}

func TestWithoutAKeychainEverythingSaysWhatToChoose(t *testing.T) {
	t.Parallel()
	bus := lab.StartSessionBus(t)
	for name, address := range map[string]string{
		"nobody keeps secrets on the bus": bus.Address,
		"the bus has gone":                "unix:path=" + filepath.Join(t.TempDir(), "bus"),
		"there is no bus":                 "",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err == nil && address == "" {
				t.Skip("there is one on this machine, and it is somebody's")
			}
			dir := directory(t)
			u := start(t, place{address, dir})
			for _, o := range everything {
				if r := u.do(o); !r.Unavailable || r.NotFound || !strings.Contains(r.Error, "NewPassphraseSealer") {
					t.Errorf("%s: %q", o.Do, r.Error)
				}
			}
		})
	}
}

func TestWithoutABusNoneIsStarted(t *testing.T) {
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err == nil {
		t.Skip("there is one on this machine")
	}
	bin, ran := t.TempDir(), filepath.Join(t.TempDir(), "ran")
	script := "#!/bin/sh\ntouch " + ran + "\necho DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent\n"
	if err := os.WriteFile(filepath.Join(bin, "dbus-launch"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if r := start(t, place{"", directory(t)}).do(order{Do: "check"}); !r.Unavailable {
		t.Error(r.Error)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("dbus-launch was run")
	}
}

// hung is a Secret Service that has stopped.
type hung chan struct{}

func (h hung) Get(string, string) (dbus.Variant, *dbus.Error) { <-h; return dbus.Variant{}, nil }

func TestAKeychainThatNeverAnswersIsWaitedForNoLongerThanTheContext(t *testing.T) {
	t.Parallel()
	bus := lab.StartSessionBus(t)
	c, h := bus.Connect(t), make(hung)
	t.Cleanup(func() { close(h) })
	if err := c.Export(h, "/org/freedesktop/secrets", "org.freedesktop.DBus.Properties"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RequestName(lab.SecretService, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	u := start(t, place{bus.Address, directory(t)})
	for range 3 {
		for _, o := range everything {
			o.Patience = 100 * time.Millisecond
			r := u.do(o)
			if !r.Deadline || r.Unavailable || r.NotFound || r.Lost || !strings.Contains(r.Error, "password") && o.Do != "save" {
				t.Errorf("%s: %q", o.Do, r.Error)
			}
			t.Logf("%s returned after %v", o.Do, r.Took.Round(time.Millisecond))
		}
	}
}
