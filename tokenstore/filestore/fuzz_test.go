package filestore_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"unicode/utf8"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// FuzzLoad: no content of a file makes Load panic or be mistaken for an empty
// place, and none is read as a record but one that was saved.
func FuzzLoad(f *testing.F) {
	k, good := key("me"), []byte(golden)
	dir, _ := kept(f, k)
	_, other := kept(f, key("you"))
	f.Add(good)
	f.Add(other)
	f.Add(good[:len(good)/2])
	f.Add([]byte("regrant-filestore 1 \n{}\n"))
	f.Add([]byte("regrant-filestore 2 \n"))
	f.Add([]byte{})
	s := filestore.New(dir)
	f.Fuzz(func(t *testing.T, content []byte) {
		overwrite(t, pathOf(dir, k), content)
		data, v, err := s.Load(t.Context(), k)
		if bytes.Equal(content, good) {
			if err != nil || string(data) != "first line\nsecond line" {
				t.Fatalf("Load returned %q, %v", data, err)
			}
			return
		}
		if !errors.Is(err, tokenstore.ErrUnreadable) || v == "" || data != nil {
			t.Fatalf("Load of %q returned %q, version %q, %v", content, data, v, err)
		}
	})
}

// FuzzRoundTrip: whatever a key and data contain, they come back as they were,
// from Load and from List; and with one byte of the file changed they do not.
func FuzzRoundTrip(f *testing.F) {
	f.Add("account", []byte("data"), uint(0), byte(1))
	f.Add("\u2028<&>\"\\", []byte("\n\n"), uint(30), byte(0x20))
	f.Add("..", []byte(nil), uint(90), byte(0xff))
	f.Fuzz(func(t *testing.T, account string, data []byte, at uint, change byte) {
		if account == "" || !utf8.ValidString(account) || len(data) > 1<<20 {
			return // not a key, not a record
		}
		dir, k := t.TempDir(), key(account)
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s := filestore.New(dir)
		v := save(t, s, k, string(data), "")
		holds(t, s, k, string(data))
		for listed, err := range s.List(t.Context(), tokenstore.Key{}) {
			if listed != k || err != nil {
				t.Fatalf("List yielded %q, %v", listed, err)
			}
		}
		if change != 0 {
			content, err := os.ReadFile(pathOf(dir, k))
			if err != nil {
				t.Fatal(err)
			}
			content[at%uint(len(content))] ^= change
			overwrite(t, pathOf(dir, k), content)
			if got, changed, err := s.Load(t.Context(), k); err == nil {
				t.Fatalf("with a byte changed Load returned %q", got)
			} else {
				v = changed
			}
		}
		if err := s.Delete(t.Context(), k, v); err != nil {
			t.Error(err)
		}
	})
}
