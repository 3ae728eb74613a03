package keyringstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

func TestTheContractIsKept(t *testing.T) {
	f, dir := place(t)
	tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return open(f, dir) })
}

func TestFieldCase_flyteorg_flyte_sdk_1292_AProcessAsksTheKeychainOnce(t *testing.T) {
	f, dir := place(t)
	s := open(f, dir)
	for i := range 10 {
		v := save(t, s, fmt.Sprint(i), "first", "")
		save(t, s, fmt.Sprint(i), "second", v)
	}
	if f.gets != 1 || f.sets != 1 { // the key was written, and read back
		t.Errorf("the first process made %d Gets and %d Sets", f.gets, f.sets)
	}
	f.only(t)
	s = open(f, dir)
	for i := range 10 {
		holds(t, s, fmt.Sprint(i), "second")
	}
	if f.gets != 2 || f.sets != 1 {
		t.Errorf("the second process made %d Gets and %d Sets more", f.gets-1, f.sets-1)
	}
}

func TestWhatDoesNotNeedTheKeyDoesNotAskForIt(t *testing.T) {
	f, dir := place(t)
	v := save(t, open(f, dir), "me", "data", "")
	f.broken = func(int) error { return errors.New("nobody should ask") }
	s := open(f, dir)
	for k, err := range s.List(t.Context(), tokenstore.Key{}) {
		if k != key("me") || err != nil {
			t.Errorf("List yielded %v, %v", k, err)
		}
	}
	unlock, err := s.Lock(t.Context(), key("me"))
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := s.Delete(t.Context(), key("me"), v); err != nil {
		t.Error(err)
	}
}

func TestNothingInTheFilesOpensThem(t *testing.T) {
	f, dir := place(t)
	const secret = "a refresh token that nobody else may see"
	save(t, open(f, dir), "me", secret, "")
	_, encoded := f.only(t)
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(raw) != keySize {
		t.Fatalf("the keychain has %d bytes, %v", len(raw), err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(names) < 4 {
		t.Errorf("there are %d files", len(names))
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{secret, encoded, string(raw), fmt.Sprintf("%x", raw)} {
			if bytes.Contains(content, []byte(part)) {
				t.Errorf("%s holds it", filepath.Base(name))
			}
		}
	}
}

func TestAStoreDoesNotShowItsKey(t *testing.T) {
	f, dir := place(t)
	s := open(f, dir)
	save(t, s, "me", "data", "")
	_, secret := f.only(t)
	s.chain = nil // the fake has it, of course
	text, _ := json.Marshal(s)
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %+v", s, s, s.key), string(text)} {
		if strings.Contains(text, secret) {
			t.Errorf("it is shown: %s", text)
		}
	}
}

func TestARecordOpensForItsOwnKeyOnly(t *testing.T) {
	f, dir := place(t)
	s := open(f, dir)
	save(t, s, "me", "mine", "")
	files, err := s.files()
	if err != nil {
		t.Fatal(err)
	}
	sealed, _, err := files.Load(t.Context(), key("me"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Save(t.Context(), key("you"), sealed, ""); err != nil {
		t.Fatal(err)
	}
	if data, v, err := s.Load(t.Context(), key("you")); !errors.Is(err, tokenstore.ErrUnreadable) || errors.Is(err, ErrKeyLost) || v == "" || data != nil {
		t.Errorf("Load returned %q, version %q, %v", data, v, err)
	}
}

func TestFirstSavesAtOnceMakeOneKey(t *testing.T) {
	f, dir := place(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if _, err := open(f, dir).Save(t.Context(), key(fmt.Sprint(i)), []byte("data"), ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f.only(t)
	s := open(f, dir)
	for i := range 16 {
		holds(t, s, fmt.Sprint(i), "data")
	}
}

// Here the lock lies beside what it guards, and each directory has a key of its own:
// no entry of the keychain is shared by two programs that could not see each other.
func TestFieldCase_githits_cli_164_WhoSharesAKeySharesTheLock(t *testing.T) {
	f, dir := place(t)
	under := func(home, dir string) *Store { // as a process with this environment has it
		for _, name := range []string{"HOME", "XDG_DATA_HOME", "LocalAppData"} {
			t.Setenv(name, filepath.Join(home, name))
		}
		s := open(f, dir)
		if _, err := s.files(); err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, two := t.TempDir(), t.TempDir()

	save(t, under(one, ""), "me", "first", "")
	save(t, under(two, ""), "me", "second", "")
	holds(t, under(one, ""), "me", "first")
	holds(t, under(two, ""), "me", "second")
	if len(f.entries) != 2 {
		t.Errorf("two homes have %d entries", len(f.entries))
	}

	save(t, under(one, dir), "me", "third", "")
	unlock, err := under(one, dir).Lock(t.Context(), key("me"))
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan func(), 1)
	waiting := under(two, dir)
	go func() {
		unlock, err := waiting.Lock(t.Context(), key("me"))
		if err != nil {
			t.Error(err)
		}
		got <- unlock
	}()
	select {
	case <-got:
		t.Error("two homes with one directory hold its lock at once")
	case <-time.After(100 * time.Millisecond):
		unlock()
		(<-got)()
	}
	holds(t, waiting, "me", "third")
	if len(f.entries) != 3 {
		t.Errorf("with another directory there are %d entries", len(f.entries))
	}
}

func TestADirectoryCanBeMoved(t *testing.T) {
	f, dir := place(t)
	save(t, open(f, dir), "me", "data", "")
	if err := os.Rename(dir, dir+"-new"); err != nil {
		t.Fatal(err)
	}
	holds(t, open(f, dir+"-new"), "me", "data")
}

func TestADirectoryThatAnotherProcessMadeAnewIsNoticed(t *testing.T) {
	f, dir := place(t)
	s := open(f, dir)
	save(t, s, "me", "old", "")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	other := open(f, dir)
	save(t, other, "me", "new", "")
	holds(t, s, "me", "new")
	save(t, s, "you", "data", "")
	holds(t, open(f, dir), "you", "data")
}

func TestCheckChangesNothing(t *testing.T) {
	f, dir := place(t)
	s := open(f, dir)
	for range 3 {
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) || f.sets != 0 || f.gets != 1 {
		t.Errorf("the directory: %v; %d Sets, %d Gets", err, f.sets, f.gets)
	}
	save(t, s, "me", "data", "")
	if err := open(f, dir).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestANameThatAKeychainConfusesIsRefused(t *testing.T) {
	for _, name := range []string{"", ".", "..", "-s", ".hidden", "it's", `back\slash`, "two words", "a:b", "a/b", "a\nb", "a\x00b", "é", strings.Repeat("a", 65)} {
		s := New(name)
		s.Dir = filepath.Join(t.TempDir(), "grants")
		_, _, loadErr := s.Load(t.Context(), key("me"))
		_, saveErr := s.Save(t.Context(), key("me"), nil, "")
		_, lockErr := s.Lock(t.Context(), key("me"))
		var listErr error
		for _, listErr = range s.List(t.Context(), tokenstore.Key{}) {
		}
		for _, err := range []error{s.Check(t.Context()), loadErr, saveErr, lockErr, listErr, s.Delete(t.Context(), key("me"), "")} {
			if err == nil || !strings.Contains(err.Error(), "use up to 64 letters") || errors.Is(err, tokenstore.ErrUnavailable) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for _, name := range []string{"a", "0", "My-CLI_2.0", strings.Repeat("a", 64)} {
		if err := New(name).Check(t.Context()); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTheDirectoryIsWhereTheSystemKeepsDataOfPrograms(t *testing.T) {
	home, other := t.TempDir(), t.TempDir()
	for _, c := range []struct {
		system string
		env    map[string]string
		want   string
	}{
		{"linux", map[string]string{"HOME": home}, filepath.Join(home, ".local", "share")},
		{"linux", map[string]string{"HOME": home, "XDG_DATA_HOME": other}, other},
		{"linux", map[string]string{"HOME": home, "XDG_DATA_HOME": "relative"}, filepath.Join(home, ".local", "share")},
		{"linux", map[string]string{}, ""},
		{"freebsd", map[string]string{"HOME": home}, filepath.Join(home, ".local", "share")},
		{"darwin", map[string]string{"HOME": home, "XDG_DATA_HOME": other}, filepath.Join(home, "Library", "Application Support")},
		{"darwin", map[string]string{"HOME": "relative"}, ""},
		{"windows", map[string]string{"LocalAppData": other, "HOME": home}, other},
		{"windows", map[string]string{"HOME": home}, ""},
	} {
		got, err := dataDir(c.system, func(name string) string { return c.env[name] })
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s with %v: %q, %v", c.system, c.env, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "set Store.Dir") {
			t.Errorf("it does not say what to do: %v", err)
		}
	}
}
