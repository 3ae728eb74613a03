package tokenstoretest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// TestEachBrokenStoreBreaksItsRule runs every rule against every broken store.
// In a bubble of synctest a store that hangs takes no time.
func TestEachBrokenStoreBreaksItsRule(t *testing.T) {
	for _, f := range slices.Concat(storeFaults, lockerFaults, listerFaults) {
		t.Run(f.rule+"/"+f.what, func(t *testing.T) {
			expected := append([]string{f.rule}, f.also...)
			for _, r := range rulesFor(f.store()()) {
				synctest.Test(t, func(t *testing.T) {
					defer time.Sleep(24 * time.Hour) // for those who still wait
					err := r.broken(newPlace(t.Context(), f.store()))
					switch {
					case err == nil && slices.Contains(expected, r.name):
						t.Errorf("a store that %s passed the rule %q", f.what, r.name)
					case err != nil && !slices.Contains(expected, r.name):
						t.Errorf("a store that %s failed another rule: %v", f.what, err)
					case err != nil && !strings.Contains(err.Error(), r.statement):
						t.Errorf("the rule is not quoted: %v", err)
					}
				})
			}
		})
	}
}

func TestEachRuleIsBrokenBySomeStore(t *testing.T) {
	faults := slices.Concat(storeFaults, lockerFaults, listerFaults)
	for _, r := range rulesFor(memstore.New()) {
		if !slices.ContainsFunc(faults, func(f fault) bool { return f.rule == r.name }) {
			t.Errorf("no broken store breaks the rule %q: how can we know that its check sees anything?", r.name)
		}
	}
}

// A field case: internal/docs/field-cases.md has the list. Every store of this
// repository is held to the rules.
func TestFieldCase_zalando_go_keyring_85_AStoreThatDoesNotKeep64KiBIsFoundOut(t *testing.T) {
	rule := storeRules[slices.IndexFunc(storeRules, func(r rule) bool { return r.name == "round trip" })]
	tooLarge := errors.New("data passed to Set was too big")
	for _, limit := range []int{2560, 3000, 4096, 64<<10 - 1} { // the Credential Manager, macOS, a command line, and just too little
		for how, save := range map[string]func([]byte) ([]byte, error){
			"an error": func([]byte) ([]byte, error) { return nil, tooLarge },
			"silence":  func(data []byte) ([]byte, error) { return data[:limit], nil },
		} {
			open := one(func(f *faulty) {
				f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
					if len(data) > limit {
						var err error
						if data, err = save(data); err != nil {
							return "", err
						}
					}
					return f.Store.Save(ctx, key, data, old)
				}
			})
			if err := rule.broken(newPlace(t.Context(), open)); err == nil {
				t.Errorf("a store that keeps %d bytes, and tells of more by %s, has passed", limit, how)
			}
		}
	}
}

func rulesFor(s tokenstore.Store) []rule {
	var rules []rule
	for _, g := range groups {
		if g.applies(s) {
			rules = append(rules, g.rules...)
		}
	}
	return rules
}

// TestAFailureQuotesTheRule looks at what the author of a broken store sees, in
// a test process of its own.
func TestAFailureQuotesTheRule(t *testing.T) {
	const broken = "REGRANT_BROKEN_STORE"
	if os.Getenv(broken) != "" {
		open := renaming(func(k tokenstore.Key) tokenstore.Key { k.Account = strings.ToLower(k.Account); return k })()
		TestStore(t, func(*testing.T) tokenstore.Store { return open() })
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), broken+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the test of a broken store passed")
	}
	for _, want := range []string{
		"--- PASS: TestAFailureQuotesTheRule/Store/round_trip",
		"--- FAIL: TestAFailureQuotesTheRule/Store/keys_never_meet",
		"tokenstoretest.renamed breaks a rule of the contract:",
		"Keys are compared byte by byte",
		"What was seen:",
		"tokenstoretest.renamed is no tokenstore.Locker",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}
