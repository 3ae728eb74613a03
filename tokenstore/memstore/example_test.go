package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

func ExampleNew() {
	store := memstore.New() // for client.Config

	ctx := context.Background()
	key := tokenstore.Key{Issuer: "https://login.example.com", ClientID: "my-test", Account: "default"}
	first, err := store.Save(ctx, key, []byte("sealed bytes"), "")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Save(ctx, key, []byte("renewed"), first); err != nil {
		log.Fatal(err)
	}
	_, err = store.Save(ctx, key, []byte("renewed by somebody who was late"), first)
	fmt.Println("conflict:", errors.Is(err, tokenstore.ErrConflict))
	// Output: conflict: true
}
