package keyringstore

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/regrant/regrant/tokenstore"
)

// A fake is a keychain that does as the test wants. Its fields are set while
// nobody uses it.
type fake struct {
	broken func(call int) error // what the n-th call of all returns, if it fails
	lies   bool                 // it keeps nothing of what it is given
	hangs  <-chan struct{}      // until that is closed

	mu      sync.Mutex
	entries map[string]string
	gets    int
	sets    int
}

func (f *fake) call(count *int) error {
	if f.hangs != nil {
		<-f.hangs
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	*count++
	if f.broken == nil {
		return nil
	}
	return f.broken(f.gets + f.sets)
}

func (f *fake) Get(service, account string) (string, error) {
	if err := f.call(&f.gets); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	secret, ok := f.entries[service+":"+account]
	if !ok {
		return "", keyring.ErrNotFound
	}
	return secret, nil
}

func (f *fake) Set(service, account, secret string) error {
	if err := f.call(&f.sets); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.entries == nil {
		f.entries = map[string]string{}
	}
	if !f.lies {
		f.entries[service+":"+account] = secret
	}
	return nil
}

// only returns the one entry.
func (f *fake) only(t *testing.T) (name, secret string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.entries) != 1 {
		t.Fatalf("the keychain has %d entries", len(f.entries))
	}
	for name, secret = range f.entries {
	}
	return name, secret
}

// open returns a Store as another process has it.
func open(f *fake, dir string) *Store {
	s := newStore("my-cli", f)
	s.Dir = dir
	return s
}

func place(t *testing.T) (*fake, string) {
	t.Helper()
	return &fake{}, filepath.Join(t.TempDir(), "grants")
}

func key(account string) tokenstore.Key {
	return tokenstore.Key{Issuer: "https://issuer.example", ClientID: "cli", Account: account}
}

func save(t *testing.T, s *Store, account, data string, old tokenstore.Version) tokenstore.Version {
	t.Helper()
	v, err := s.Save(t.Context(), key(account), []byte(data), old)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func holds(t *testing.T, s *Store, account, want string) {
	t.Helper()
	if data, _, err := s.Load(t.Context(), key(account)); err != nil || string(data) != want {
		t.Errorf("Load returned %q, %v instead of %q", data, err, want)
	}
}
