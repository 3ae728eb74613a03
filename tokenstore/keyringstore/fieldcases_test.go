package keyringstore

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/regrant/regrant/tokenstore"
)

// Field cases of keychains: failures of other programs that were reported in
// public. internal/docs/field-cases.md has the list, and which are shown by other
// tests of this package.

// filesIn returns the content of each file.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

func TestFieldCase_AzureAD_microsoft_authentication_extensions_for_dotnet_81_AKeychainThatFailsForNowCostsNothing(t *testing.T) {
	for _, text := range []string{"errSecAuthFailed (-25293)", "DPAPI: 2148073483", "Key not valid for use in specified state"} {
		f, dir := place(t)
		v := save(t, open(f, dir), "me", "data", "")
		entries, files := maps.Clone(f.entries), filesIn(t, dir)
		f.broken = func(int) error { return errors.New(text) }
		s := open(f, dir)
		_, _, loadErr := s.Load(t.Context(), key("me"))
		_, saveErr := s.Save(t.Context(), key("me"), []byte("new"), v)
		for _, err := range []error{loadErr, saveErr} {
			if err == nil || errors.Is(err, tokenstore.ErrNotFound) || errors.Is(err, tokenstore.ErrUnreadable) || errors.Is(err, tokenstore.ErrUnavailable) {
				t.Errorf("the error is %v", err)
			}
		}
		if !maps.Equal(f.entries, entries) || !maps.Equal(filesIn(t, dir), files) {
			t.Error("the keychain or the files have changed")
		}
		f.broken = nil
		holds(t, s, "me", "data")
	}
}

func TestFieldCase_entireio_cli_2495_AnErrorDoesNotLeadToAnotherStore(t *testing.T) {
	f, dir := place(t)
	save(t, open(f, dir), "me", "data", "")
	s := open(f, dir)
	f.broken = func(int) error { return errNoBus } // there was one before
	if _, err := s.Save(t.Context(), key("you"), []byte("a secret"), ""); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("the error is %v", err)
	}
	for name, content := range filesIn(t, dir) {
		if strings.Contains(content, "a secret") {
			t.Errorf("%s holds what the keychain did not take", name)
		}
	}
	f.broken = nil
	holds(t, s, "me", "data")
	if _, _, err := s.Load(t.Context(), key("you")); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("what was not saved is there: %v", err)
	}
}

func TestFieldCase_zalando_go_keyring_84_TheLimitOfTheKeychainIsNoLimitOfARecord(t *testing.T) {
	f, dir := place(t)
	large := strings.Repeat("0123456789abcdef", 4096)
	save(t, open(f, dir), "me", large, "")
	holds(t, open(f, dir), "me", large)
	if name, secret := f.only(t); len(name)+len(secret) > 300 {
		t.Errorf("the keychain got %d bytes", len(name)+len(secret))
	}
}

// one is a keychain that breaks when it is called twice at once.
type one struct {
	fake
	busy  atomic.Int32
	twice atomic.Bool
}

func (o *one) Get(service, account string) (string, error) {
	if o.busy.Add(1) > 1 {
		o.twice.Store(true)
	}
	defer o.busy.Add(-1)
	time.Sleep(time.Second)
	return o.fake.Get(service, account)
}

func (o *one) Set(service, account, secret string) error {
	if o.busy.Add(1) > 1 {
		o.twice.Store(true)
	}
	defer o.busy.Add(-1)
	time.Sleep(time.Second)
	return o.fake.Set(service, account, secret)
}

func TestFieldCase_zalando_go_keyring_88_OneProcessMakesOneCallAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	synctest.Test(t, func(t *testing.T) {
		o := new(one)
		s := newStore("my-cli", o)
		s.Dir = dir
		save(t, s, "first", "data", "") // the file locks below it are no matter for this bubble
		s = newStore("my-cli", o)
		s.Dir = dir
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := s.Check(t.Context()); err != nil {
					t.Error(err)
				}
				holds(t, s, "first", "data")
			})
		}
		all.Wait()
		if o.twice.Load() {
			t.Error("the keychain was called twice at once")
		}
	})
}

func TestFieldCase_coder_coder_21256_NoTestReachesTheKeychainOfWhoeverRunsIt(t *testing.T) {
	s := New("regrant-test")
	s.Dir = filepath.Join(t.TempDir(), "grants")
	save(t, s, "me", "data", "")
	keyring.MockInitWithError(errors.New("this is the keychain of the tests"))
	t.Cleanup(keyring.MockInit)
	s = New("regrant-test")
	s.Dir = filepath.Join(t.TempDir(), "grants")
	if _, err := s.Save(t.Context(), key("me"), []byte("data"), ""); err == nil || !strings.Contains(fmt.Sprint(err), "this is the keychain of the tests") {
		t.Errorf("another keychain was asked: %v", err)
	}
}
