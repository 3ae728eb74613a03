package filestore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/regrant/regrant/internal/canary"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// FuzzLoad: no content of a file makes Load panic or be mistaken for an empty
// place; what is read is what stands behind the header of a file whose sum and
// key are right; and what cannot be read stays as it is, has the same version
// twice, can be deleted with it, and is told without a word of the record.
func FuzzLoad(f *testing.F) {
	k, good := key("me"), []byte(golden)
	_, other := kept(f, key("you"))
	for _, content := range [][]byte{
		good, other, good[:len(good)/2], []byte("regrant-filestore 1 \n{}\n"), []byte("regrant-filestore 2 \n"), {}, []byte("\x00\n\x00"),
		[]byte("x\n" + `{"issuer":"https://issuer.example","client_id":"cli","account":"me","version":"v"}`),
		[]byte("x\n" + `{"Issuer":"https://issuer.example","client_id":"cli","account":"you","Account":"me","version":"v"}` + "\n"),
		[]byte("x\n" + `{"issuer":"https://issuer.example","client_id":"cli","account":"me","version":"` + "\\ud800" + `"} {}` + "\n\n"),
	} {
		f.Add(content, false, uint(0))
		f.Add(content, true, uint(20))
	}
	dir, _ := kept(f, k)
	s := filestore.New(dir)
	f.Fuzz(func(t *testing.T, content []byte, summed bool, at uint) {
		first, body, _ := bytes.Cut(content, []byte("\n"))
		if summed { // a fuzzer does not find a sum by itself
			first = fmt.Appendf(nil, "regrant-filestore 1 %x", sha256.Sum256(body))
			content = slices.Concat(first, []byte("\n"), body)
		}
		overwrite(t, pathOf(dir, k), slices.Concat(first, []byte("\n"), []byte(canary.Plant(string(body), at))))
		if _, _, err := s.Load(t.Context(), k); !errors.Is(err, tokenstore.ErrUnreadable) || canary.Shown(err) != "" {
			t.Fatalf("Load of a changed file returned %v", err)
		}
		overwrite(t, pathOf(dir, k), content)
		data, v, err := s.Load(t.Context(), k)
		if !bytes.Equal(content, good) && !summed || err != nil {
			if !errors.Is(err, tokenstore.ErrUnreadable) || v == "" || data != nil {
				t.Fatalf("Load of %q returned %q, version %q, %v", content, data, v, err)
			}
			if _, again, _ := s.Load(t.Context(), k); again != v {
				t.Fatalf("the version is %q and then %q", v, again)
			}
			if left, err := os.ReadFile(pathOf(dir, k)); err != nil || !bytes.Equal(left, content) {
				t.Fatalf("%q became %q, %v", content, left, err)
			}
		} else if head, want, _ := bytes.Cut(body, []byte("\n")); !bytes.Equal(data, want) || !names(head, k, v) {
			t.Fatalf("Load of %q returned %q, version %q", content, data, v)
		}
		if err := s.Delete(t.Context(), k, v); err != nil {
			t.Fatal(err)
		}
	})
}

// names tells whether head is the header of a file of k with this version.
func names(head []byte, k tokenstore.Key, v tokenstore.Version) bool {
	var h struct {
		tokenstore.Key
		ClientID string `json:"client_id"`
		Version  string `json:"version"`
	}
	err := json.Unmarshal(head, &h)
	h.Key.ClientID = h.ClientID
	return err == nil && v != "" && h.Key == k && h.Version == string(v)
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
