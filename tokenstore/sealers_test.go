package tokenstore_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/regrant/regrant/tokenstore"
)

func TestASealerWithoutASecretIsAnErrorThatSaysWhatToDo(t *testing.T) {
	good := make([]byte, 32)
	rand.Read(good)
	for name, c := range map[string]struct {
		make func() (tokenstore.Sealer, error)
		want []string
	}{
		"no key":           {func() (tokenstore.Sealer, error) { return tokenstore.NewSealer() }, []string{"32 bytes from crypto/rand", "environment variable"}},
		"empty key":        {func() (tokenstore.Sealer, error) { return tokenstore.NewSealer([]byte("")) }, []string{"0 bytes instead of 32", "environment variable"}},
		"short key":        {func() (tokenstore.Sealer, error) { return tokenstore.NewSealer(good[:16]) }, []string{"16 bytes instead of 32"}},
		"zeros":            {func() (tokenstore.Sealer, error) { return tokenstore.NewSealer(make([]byte, 32)) }, []string{"all zeros"}},
		"bad second key":   {func() (tokenstore.Sealer, error) { return tokenstore.NewSealer(good, nil) }, []string{"key 2 of 2"}},
		"key in text":      {func() (tokenstore.Sealer, error) { return tokenstore.NewSealer(fmt.Appendf(nil, "%x", good)) }, []string{"64 bytes", "decoded"}},
		"empty passphrase": {func() (tokenstore.Sealer, error) { return tokenstore.NewPassphraseSealer("") }, []string{"passphrase is empty", "environment variable"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := c.make()
			if s != nil || err == nil {
				t.Fatalf("it returned %v, %v", s, err)
			}
			for _, want := range append(c.want, "tokenstore: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), fmt.Sprintf("%x", good[:4])) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func TestASealerOpensForItsKeyOnly(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	sealer, err := tokenstore.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	mine := tokenstore.Key{Issuer: "https://issuer.example", ClientID: "cli", Account: "mine"}
	yours := mine
	yours.Account = "yours"
	sealed, err := sealer.Encrypt([]byte("a grant"), []byte(mine.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := sealer.Decrypt(sealed, []byte(mine.String())); err != nil || string(got) != "a grant" {
		t.Errorf("Decrypt returned %q, %v", got, err)
	}
	if got, err := sealer.Decrypt(sealed, []byte(yours.String())); err == nil {
		t.Errorf("moved to another key it opens as %q", got)
	}
}
