package filestore_test

import (
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

func TestWhatWasSavedIsLoaded(t *testing.T) {
	s := filestore.New(t.TempDir() + "/grants")
	key := tokenstore.Key{Issuer: "https://issuer.example", ClientID: "cli", Account: "me"}
	sealer, err := tokenstore.NewPassphraseSealer("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := sealer.Encrypt([]byte("secret"), []byte(key.String()))
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Save(t.Context(), key, sealed, "")
	if err != nil {
		t.Fatal(err)
	}
	got, v2, err := s.Load(t.Context(), key)
	if err != nil || v2 != v {
		t.Fatal(v2, err)
	}
	plain, err := sealer.Decrypt(got, []byte(key.String()))
	if err != nil || string(plain) != "secret" {
		t.Fatal(plain, err)
	}
	for k, err := range s.List(t.Context(), tokenstore.Key{}) {
		if k != key || err != nil {
			t.Fatal(k, err)
		}
	}
	if err := s.Delete(t.Context(), key, v); err != nil {
		t.Fatal(err)
	}
}
