package seal_test

import (
	"bytes"
	"testing"
)

// FuzzDecrypt: nothing opens but what was sealed, and nothing panics.
func FuzzDecrypt(f *testing.F) {
	golden := golden1()
	f.Add(golden, []byte("its key"))
	f.Add(golden, []byte("another key"))
	f.Add(golden[:len(golden)-1], []byte("its key"))
	f.Add([]byte("regrant"), []byte(""))
	f.Add([]byte("regrant\x01"), []byte(""))
	f.Add([]byte("regrant\x02"), []byte(""))
	f.Add(append([]byte("regrant\x02"), make([]byte, 100)...), []byte(""))
	f.Add([]byte("regrant\xff"), []byte(""))
	s := keys(f, goldenKey())
	f.Fuzz(func(t *testing.T, b, ad []byte) {
		plaintext, err := s.Decrypt(b, ad)
		if err != nil {
			if plaintext != nil {
				t.Fatalf("Decrypt returned %q beside an error", plaintext)
			}
			return
		}
		if !bytes.Equal(b, golden) || string(ad) != "its key" {
			t.Fatalf("%x opened for %q as %q", b, ad, plaintext)
		}
	})
}

// FuzzRoundTrip: what was sealed opens, and with one byte changed anywhere, in it
// or in the associated data, it does not.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("text"), []byte("key"), 0, byte(1))
	f.Add([]byte(""), []byte(""), 20, byte(0x80))
	f.Add([]byte("\x00"), []byte("regrant"), -5, byte(0xff))
	s := keys(f, goldenKey())
	f.Fuzz(func(t *testing.T, plaintext, ad []byte, at int, change byte) {
		b, err := s.Encrypt(plaintext, ad)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Decrypt(b, ad)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Fatalf("Decrypt returned %q, %v", got, err)
		}
		if change == 0 {
			return
		}
		all := append(bytes.Clone(b), ad...)
		at = (at%len(all) + len(all)) % len(all)
		all[at] ^= change
		if got, err := s.Decrypt(all[:len(b)], all[len(b):]); err == nil {
			t.Fatalf("with byte %d changed it opened as %q", at, got)
		}
	})
}
