package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/regrant/regrant/internal/canary"
	"github.com/regrant/regrant/internal/seal"
)

// FuzzDecrypt: nothing opens but what was sealed, by a sealer of either kind, and
// every error says which of the five reasons it is, and repeats nothing.
func FuzzDecrypt(f *testing.F) {
	golden := map[sealer][]byte{keys(f, goldenKey()): golden1(), passphrase(f, goldenPassphrase): golden2()}
	for _, b := range golden {
		f.Add(b, []byte("its key"), uint(8))
		f.Add(b, []byte("another key"), uint(100))
		f.Add(b[:len(b)-1], []byte("its key"), uint(40))
		f.Add(b[:8], []byte(""), uint(0))
		f.Add(append(bytes.Clone(b[:8]), make([]byte, 100)...), []byte(""), uint(7))
	}
	f.Add([]byte("regrant"), []byte(""), uint(7))
	f.Add([]byte("regrant\xff"), []byte(""), uint(8))
	f.Fuzz(func(t *testing.T, b, associated []byte, at uint) {
		planted := withSalt([]byte(canary.Plant(string(b), at)))
		b = withSalt(b)
		for s, sealed := range golden {
			plaintext, err := s.Decrypt(planted, associated)
			if err == nil || plaintext != nil || canary.Shown(err) != "" || !isReason(err) {
				t.Fatalf("%x opened for %q as %q, %v", planted, associated, plaintext, err)
			}
			plaintext, err = s.Decrypt(b, associated)
			switch {
			case bytes.Equal(b, sealed) && string(associated) == "its key":
				opens(t, s, b, "its key", "a grant")
			case err == nil || plaintext != nil || !isReason(err):
				t.Fatalf("%x opened for %q as %q, %v", b, associated, plaintext, err)
			}
		}
	})
}

// withSalt returns b with the salt of golden2 if it is of that format: another
// one takes a tenth of a second.
func withSalt(b []byte) []byte {
	if len(b) < 24 || b[7] != 2 {
		return b
	}
	b = bytes.Clone(b)
	copy(b[8:24], golden2()[8:24])
	return b
}

func isReason(err error) bool {
	for _, reason := range []error{seal.ErrNotSealed, seal.ErrNewerFormat, seal.ErrUnknownKey, seal.ErrWrongPassphrase, seal.ErrDamaged} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// FuzzRoundTrip: what was sealed opens as it was, by a sealer of either kind, and
// with one byte changed anywhere, in it or in the associated data, it does not.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("text"), []byte("key"), 0, byte(1))
	f.Add([]byte(""), []byte(""), 20, byte(0x80))
	f.Add([]byte("\x00"), []byte("regrant"), -5, byte(0xff))
	f.Add([]byte(`{"format":1}`), []byte("regrant:1:a,1:b,1:c,"), 60, byte(3))
	sealers := []sealer{keys(f, goldenKey()), passphrase(f, goldenPassphrase)}
	f.Fuzz(func(t *testing.T, plaintext, associated []byte, at int, change byte) {
		for _, s := range sealers {
			b := sealed(t, s, string(plaintext), string(associated))
			opens(t, s, b, string(associated), string(plaintext))
			all := append(bytes.Clone(b), associated...)
			at := (at%len(all) + len(all)) % len(all)
			if change == 0 || b[7] == 2 && at >= 8 && at < 24 {
				continue // another salt takes a tenth of a second
			}
			all[at] ^= change
			if got, err := s.Decrypt(all[:len(b)], all[len(b):]); err == nil {
				t.Fatalf("with byte %d changed it opened as %q", at, got)
			}
		}
	})
}
