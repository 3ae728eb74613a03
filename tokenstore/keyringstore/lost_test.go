package keyringstore

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/regrant/regrant/tokenstore"
)

// ways to lose a key.
var ways = map[string]func(t *testing.T, f *fake, s *Store){
	"the entry is deleted": func(_ *testing.T, f *fake, _ *Store) { clear(f.entries) },
	"the entry is replaced by another key": func(t *testing.T, f *fake, _ *Store) {
		name, _ := f.only(t)
		f.entries[name] = encode(make([]byte, keySize))
	},
	"the entry is replaced by something else": func(t *testing.T, f *fake, _ *Store) {
		name, _ := f.only(t)
		f.entries[name] = "hunter2"
	},
	"the name of the key is deleted": func(t *testing.T, _ *fake, s *Store) {
		files, _ := s.files()
		_, v, err := files.Load(t.Context(), entry)
		if err = errors.Join(err, files.Delete(t.Context(), entry, v)); err != nil {
			t.Fatal(err)
		}
	},
}

func TestAKeyThatIsLostIsToldAndNotReplaced(t *testing.T) {
	for name, lose := range ways {
		t.Run(name, func(t *testing.T) {
			f, dir := place(t)
			v := save(t, open(f, dir), "me", "data", "")
			before := maps.Clone(f.entries)
			lose(t, f, open(f, dir))
			lost := maps.Clone(f.entries)

			s := open(f, dir)
			data, loaded, loadErr := s.Load(t.Context(), key("me"))
			if !errors.Is(loadErr, tokenstore.ErrUnreadable) || data != nil || loaded != v {
				t.Errorf("Load returned %q, version %q, %v", data, loaded, loadErr)
			}
			_, absent, otherErr := s.Load(t.Context(), key("you"))
			if errors.Is(otherErr, tokenstore.ErrNotFound) || absent != "" {
				t.Errorf("a login would begin that cannot be saved: Load returned version %q, %v", absent, otherErr)
			}
			_, saveErr := s.Save(t.Context(), key("me"), []byte("new"), v)
			_, createErr := s.Save(t.Context(), key("you"), []byte("new"), "")
			for _, err := range []error{loadErr, otherErr, saveErr, createErr, s.Check(t.Context())} {
				if !errors.Is(err, ErrKeyLost) || errors.Is(err, tokenstore.ErrUnavailable) ||
					!strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "log in again") {
					t.Errorf("the error is %v", err)
				}
			}
			if !maps.Equal(f.entries, lost) {
				t.Error("the keychain was changed")
			}

			if !strings.HasPrefix(name, "the entry") {
				return
			}
			f.entries = before
			holds(t, s, "me", "data")
			save(t, s, "you", "data", "")
		})
	}
}

func TestWhoSavesTooLateIsToldThatAlsoWithoutAKey(t *testing.T) {
	f, dir := place(t)
	v := save(t, open(f, dir), "me", "data", "")
	clear(f.entries)
	for _, old := range []tokenstore.Version{"", "another", v + "x"} {
		if _, err := open(f, dir).Save(t.Context(), key("me"), []byte("new"), old); !errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("version %q: %v", old, err)
		}
	}
	if _, err := open(f, dir+"-empty").Save(t.Context(), key("me"), []byte("new"), v); !errors.Is(err, tokenstore.ErrConflict) {
		t.Error(err)
	}
}

func TestWithTheLastRecordThatCannotBeReadGoneANewKeyIsMade(t *testing.T) {
	for name, lose := range ways {
		t.Run(name, func(t *testing.T) {
			f, dir := place(t)
			first := open(f, dir)
			save(t, first, "me", "data", "")
			save(t, first, "you", "data", "")
			lose(t, f, first)
			s := open(f, dir)
			for _, account := range []string{"me", "you"} {
				if _, err := s.Save(t.Context(), key("new"), []byte("data"), ""); !errors.Is(err, ErrKeyLost) {
					t.Errorf("before %s logs out: %v", account, err)
				}
				_, v, _ := s.Load(t.Context(), key(account))
				if err := s.Delete(t.Context(), key(account), v); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			save(t, s, "me", "new", "")
			holds(t, open(f, dir), "me", "new")
			holds(t, first, "me", "new")
		})
	}
}

// A process may end, or its user may refuse, between the name of the key and the
// key.
func TestAKeyThatWasNotWrittenIsMadeAnew(t *testing.T) {
	f, dir := place(t)
	f.broken = func(int) error { return errors.New("no") }
	if _, err := open(f, dir).Save(t.Context(), key("me"), []byte("data"), ""); err == nil {
		t.Fatal("it was saved")
	}
	f.broken = nil
	s := open(f, dir)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	save(t, s, "me", "data", "")
	holds(t, open(f, dir), "me", "data")
	f.only(t)
}

func TestFieldCase_gogcli_939_AKeychainThatKeepsNothingIsFoundOut(t *testing.T) {
	f, dir := place(t)
	f.lies = true
	_, err := open(f, dir).Save(t.Context(), key("me"), []byte("data"), "")
	if err == nil || errors.Is(err, ErrKeyLost) || !strings.Contains(err.Error(), "does not give it back") {
		t.Errorf("the error is %v", err)
	}
	files, _ := open(f, dir).files()
	if kept, err := files.sealed(context.Background()); kept || err != nil {
		t.Errorf("something was sealed: %v, %v", kept, err)
	}
}
