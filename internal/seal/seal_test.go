package seal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/seal"
)

type sealer interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(sealed, associatedData []byte) ([]byte, error)
}

func newKey() []byte {
	key := make([]byte, seal.KeySize)
	rand.Read(key)
	return key
}

func keys(t testing.TB, k ...[]byte) *seal.Keys {
	t.Helper()
	s, err := seal.NewKeys(k...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func passphrase(t testing.TB, p string) *seal.Passphrase {
	t.Helper()
	s, err := seal.NewPassphrase(p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// both runs a test with a sealer of each kind.
func both(t *testing.T, test func(t *testing.T, s sealer)) {
	t.Run("keys", func(t *testing.T) { test(t, keys(t, newKey())) })
	t.Run("passphrase", func(t *testing.T) { test(t, passphrase(t, "correct horse")) })
}

func sealed(t testing.TB, s sealer, plaintext, ad string) []byte {
	t.Helper()
	b, err := s.Encrypt([]byte(plaintext), []byte(ad))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func opens(t testing.TB, s sealer, b []byte, ad, want string) {
	t.Helper()
	if got, err := s.Decrypt(b, []byte(ad)); err != nil || string(got) != want {
		t.Fatalf("Decrypt returned %q, %v", got, err)
	}
}

func fails(t testing.TB, s sealer, b []byte, ad string, want error) {
	t.Helper()
	if got, err := s.Decrypt(b, []byte(ad)); !errors.Is(err, want) || got != nil {
		t.Fatalf("Decrypt returned %q, %v; want the error %v", got, err, want)
	}
}

func TestWhatWasSealedOpens(t *testing.T) {
	both(t, func(t *testing.T, s sealer) {
		for _, plaintext := range []string{"", "a", strings.Repeat("grant ", 10_000)} {
			for _, ad := range []string{"", "key"} {
				opens(t, s, sealed(t, s, plaintext, ad), ad, plaintext)
			}
		}
	})
}

func TestTwoSealsOfOneTextDiffer(t *testing.T) {
	both(t, func(t *testing.T, s sealer) {
		if bytes.Equal(sealed(t, s, "text", "key"), sealed(t, s, "text", "key")) {
			t.Error("they are the same")
		}
	})
}

func TestARecordMovedToAnotherKeyDoesNotOpen(t *testing.T) {
	both(t, func(t *testing.T, s sealer) {
		b := sealed(t, s, "text", "key")
		for _, ad := range []string{"", "ke", "kez", "keyy", "key "} {
			fails(t, s, b, ad, seal.ErrDamaged)
		}
	})
}

func TestNoBitCanBeFlipped(t *testing.T) {
	s := keys(t, newKey())
	b := sealed(t, s, "text", "key")
	for i := range len(b) * 8 {
		flipped := bytes.Clone(b)
		flipped[i/8] ^= 1 << (i % 8)
		if got, err := s.Decrypt(flipped, []byte("key")); err == nil {
			t.Fatalf("bit %d of %d flipped: Decrypt returned %q", i, len(b)*8, got)
		}
	}
}

func TestNothingCutShortOpens(t *testing.T) {
	both(t, func(t *testing.T, s sealer) {
		b := sealed(t, s, "text", "key")
		for n := range b {
			want := seal.ErrDamaged
			if n <= len("regrant") {
				want = seal.ErrNotSealed
			}
			fails(t, s, b[:n], "key", want)
		}
		fails(t, s, append(b, 0), "key", seal.ErrDamaged)
	})
}

func TestTheReasonIsTold(t *testing.T) {
	ours, other := keys(t, newKey()), keys(t, newKey())
	phrase, wrong := passphrase(t, "correct horse"), passphrase(t, "wrong horse")
	newer := sealed(t, ours, "text", "key")
	newer[len("regrant")] = 3
	for name, c := range map[string]struct {
		s    sealer
		b    []byte
		want error
	}{
		"text in clear":            {ours, []byte(`{"refresh_token":"secret"}`), seal.ErrNotSealed},
		"nothing":                  {ours, nil, seal.ErrNotSealed},
		"newer format":             {ours, newer, seal.ErrNewerFormat},
		"newer format, passphrase": {phrase, newer, seal.ErrNewerFormat},
		"another key":              {other, sealed(t, ours, "text", "key"), seal.ErrUnknownKey},
		"another passphrase":       {wrong, sealed(t, phrase, "text", "key"), seal.ErrWrongPassphrase},
		"passphrase, not key":      {ours, sealed(t, phrase, "text", "key"), seal.ErrUnknownKey},
		"key, not passphrase":      {phrase, sealed(t, ours, "text", "key"), seal.ErrUnknownKey},
	} {
		t.Run(name, func(t *testing.T) { fails(t, c.s, c.b, "key", c.want) })
	}
}

func TestKeysCanBeRotated(t *testing.T) {
	oldKey, newKey := newKey(), newKey()
	before, during, after := keys(t, oldKey), keys(t, newKey, oldKey), keys(t, newKey)
	old := sealed(t, before, "text", "key")
	opens(t, during, old, "key", "text")
	renewed := sealed(t, during, "text", "key")
	opens(t, after, renewed, "key", "text")
	fails(t, after, old, "key", seal.ErrUnknownKey)
	fails(t, before, renewed, "key", seal.ErrUnknownKey)
}

func TestKeysAreCopied(t *testing.T) {
	key := newKey()
	s := keys(t, key)
	b := sealed(t, s, "text", "key")
	clear(key)
	opens(t, s, b, "key", "text")
}

func TestBadKeysAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		keys [][]byte
		want string
	}{
		"none":           {nil, "no key"},
		"unset variable": {[][]byte{[]byte("")}, "key 1 of 1 has 0 bytes"},
		"hexadecimal":    {[][]byte{[]byte(strings.Repeat("ab", 32))}, "key 1 of 1 has 64 bytes"},
		"zeros":          {[][]byte{make([]byte, 32)}, "key 1 of 1 is all zeros"},
		"short second":   {[][]byte{newKey(), newKey()[:31]}, "key 2 of 2 has 31 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := seal.NewKeys(c.keys...)
			if err == nil || s != nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "crypto/rand") {
				t.Errorf("the error does not say %q and how to make a key: %v", c.want, err)
			}
		})
	}
}

func TestAnEmptyPassphraseIsRefused(t *testing.T) {
	if s, err := seal.NewPassphrase(""); err == nil || s != nil {
		t.Error("no error")
	}
}

// It fails if a format changes: then it needs a
// new number, and the old one must go on opening.
func TestFieldCase_AzureAD_microsoft_authentication_library_for_go_423_WhatEarlierVersionsSealedOpens(t *testing.T) {
	for name, c := range map[string]struct {
		s sealer
		b []byte
	}{
		"format 1": {keys(t, goldenKey()), golden1()},
		"format 2": {passphrase(t, goldenPassphrase), golden2()},
	} {
		t.Run(name, func(t *testing.T) { opens(t, c.s, c.b, "its key", "a grant") })
	}
}

func goldenKey() []byte {
	key := make([]byte, seal.KeySize)
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

func golden1() []byte {
	return unhex("72656772616e7401d1cb6dc20e7317f6bf6a0b0c470a93f35202802d379fd6d4" +
		"88bf98b6cc5e1afe962bb0f73ef7a092449b4302dfd0b7c813e6421430e2ca38" +
		"e78fa4a139917400bd5d588e6673b300603cdb")
}

const goldenPassphrase = "correct horse battery staple"

func golden2() []byte {
	return unhex("72656772616e7402465681c4350cab857f24ce10cffe0ef0177b9a4446d3475a" +
		"b5fc30b6a28f12ba9851162975b8827d03eb0a5115f643cb5f0bf271bfb7e641" +
		"5e37b4f9ca682923344185aa92e1cbe4daa97c9b43fbf4d90e0929d8c7dbd6dd" +
		"dc947b")
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestASealerDoesNotShowItsSecret(t *testing.T) {
	key := bytes.Repeat([]byte("K"), seal.KeySize)
	for name, s := range map[string]sealer{"keys": keys(t, key), "passphrase": passphrase(t, strings.Repeat("K", 32))} {
		t.Run(name, func(t *testing.T) {
			sealed(t, s, "text", "key") // so that what is derived is there, too
			config := struct{ Sealer sealer }{s}
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n"+verb+"\n", s, config)
			}
			fmt.Fprintln(&out, s, config)
			for _, v := range []any{s, config} {
				j, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				out.Write(j)
				slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
				slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
			}
			for _, secret := range []string{"KKKK", "4b4b4b", "4B4B4B", "75 75 75", "S0tLS0"} {
				if strings.Contains(out.String(), secret) {
					t.Errorf("it shows %q:\n%s", secret, out.String())
				}
			}
			if n := strings.Count(out.String(), "[sealer]"); n < 20 {
				t.Errorf("only %d of the texts say what it is:\n%s", n, out.String())
			}
		})
	}
}

// TestKeysWorkInFIPSMode runs in a process that refuses what FIPS 140 has not
// approved.
func TestKeysWorkInFIPSMode(t *testing.T) {
	const only = "fips140=only"
	if os.Getenv("GODEBUG") == only {
		s := keys(t, newKey())
		opens(t, s, sealed(t, s, "text", "key"), "key", "text")
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG="+only)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}

func BenchmarkEncrypt8KB(b *testing.B) {
	s, plaintext := keys(b, newKey()), make([]byte, 8<<10)
	b.SetBytes(int64(len(plaintext)))
	for b.Loop() {
		if _, err := s.Encrypt(plaintext, []byte("key")); err != nil {
			b.Fatal(err)
		}
	}
}
