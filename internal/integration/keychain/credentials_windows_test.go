package keychain_test

import (
	"testing"

	"github.com/danieljoos/wincred"

	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

// The Credential Manager is that of the user who runs the tests. What they leave in
// it they remove.
func TestCredentialManager(t *testing.T) {
	t.Cleanup(func() {
		for _, target := range targets(t) {
			if c, err := wincred.GetGenericCredential(target); err == nil {
				_ = c.Delete()
			}
		}
	})
	t.Run("the contract is kept", func(t *testing.T) {
		p := place{Dir: directory(t)}
		tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return p.store() })
	})
	t.Run("twenty first runs at once make one key", func(t *testing.T) {
		before := len(targets(t))
		firstRuns(t, place{Dir: directory(t)}, func() int { return len(targets(t)) - before })
	})
	t.Run("a key that is deleted is lost", func(t *testing.T) {
		before := map[string]bool{}
		for _, target := range targets(t) {
			before[target] = true
		}
		deleted(t, place{Dir: directory(t)}, func() {
			for _, target := range targets(t) {
				if c, err := wincred.GetGenericCredential(target); err == nil && !before[target] {
					_ = c.Delete()
				}
			}
		})
		if n := len(targets(t)); n != len(before) {
			t.Errorf("there are %d entries more", n-len(before))
		}
	})
	t.Run("twenty processes survive every expiry", func(t *testing.T) {
		fleet.SurvivesEveryExpiry(t, at, place{Dir: directory(t)}.String())
	})
}

// targets returns the names of the entries of these tests.
func targets(t testing.TB) (all []string) {
	t.Helper()
	found, err := wincred.FilteredList(program + ":*")
	if err != nil {
		return nil // there are none
	}
	for _, c := range found {
		all = append(all, c.TargetName)
	}
	return all
}
