package tokenstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// To rotate a key, let clients seal with the new one and keep the old one for
// what it has sealed; seal the rest anew; then drop the old one.
func ExampleReseal() {
	ctx := context.Background()
	oldKey, newKey := []byte("32 bytes, and not from a string."), []byte("These are 32 bytes of another...")
	store := grantsOf(oldKey, "alice", "bob", "carol")

	sealer, err := tokenstore.NewSealer(newKey, oldKey) // for the Config of clients, too
	if err != nil {
		log.Fatal(err)
	}
	walk := func() (done int) {
		for key, err := range tokenstore.Reseal(ctx, store, sealer) {
			switch {
			case errors.Is(err, tokenstore.ErrUnreadable):
				log.Printf("%s has to log in again: %v", key.Account, err)
			case err != nil:
				log.Fatal(err) // run it again: it goes on where it was
			default:
				done++
			}
		}
		return done
	}
	fmt.Println("sealed anew:", walk())
	fmt.Println("left to do:", walk())

	after, err := tokenstore.NewSealer(newKey)
	if err != nil {
		log.Fatal(err)
	}
	key := tokenstore.Key{Issuer: "https://login.example.com", ClientID: "my-cli", Account: "alice"}
	data, _, err := store.Load(ctx, key)
	if err != nil {
		log.Fatal(err)
	}
	grant, err := after.Decrypt(data, key.AssociatedData())
	fmt.Println("without the old key:", string(grant), err)
	// Output:
	// sealed anew: 3
	// left to do: 0
	// without the old key: the grant of alice <nil>
}

// grantsOf returns a store with records as a client keeps them.
func grantsOf(secret []byte, accounts ...string) *memstore.Store {
	store := memstore.New()
	sealer, err := tokenstore.NewSealer(secret)
	if err != nil {
		log.Fatal(err)
	}
	for _, account := range accounts {
		key := tokenstore.Key{Issuer: "https://login.example.com", ClientID: "my-cli", Account: account}
		data, err := sealer.Encrypt([]byte("the grant of "+account), key.AssociatedData())
		if err != nil {
			log.Fatal(err)
		}
		if _, err := store.Save(context.Background(), key, data, ""); err != nil {
			log.Fatal(err)
		}
	}
	return store
}

// A user changes the passphrase.
func ExampleNewRotation() {
	before, err := tokenstore.NewPassphraseSealer("correct horse")
	if err != nil {
		log.Fatal(err)
	}
	now, err := tokenstore.NewPassphraseSealer("correct horse battery staple")
	if err != nil {
		log.Fatal(err)
	}
	both, err := tokenstore.NewRotation(now, before) // for Reseal
	if err != nil {
		log.Fatal(err)
	}
	key := tokenstore.Key{Issuer: "https://login.example.com", ClientID: "my-cli", Account: "default"}
	old, err := before.Encrypt([]byte("a grant"), key.AssociatedData())
	if err != nil {
		log.Fatal(err)
	}
	grant, err := both.Decrypt(old, key.AssociatedData())
	fmt.Println(string(grant), err)
	// Output: a grant <nil>
}
