package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

func ExampleNew() {
	config, err := os.MkdirTemp("", "") // use os.UserConfigDir
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(config)

	store := filestore.New(filepath.Join(config, "my-cli", "grants")) // for client.Config

	ctx := context.Background()
	key := tokenstore.Key{Issuer: "https://login.example.com", ClientID: "my-cli", Account: "default"}
	if _, err := store.Save(ctx, key, []byte("sealed bytes"), ""); err != nil {
		log.Fatal(err)
	}
	for key, err := range store.List(ctx, tokenstore.Key{ClientID: "my-cli"}) {
		fmt.Println(key.Issuer, key.Account, err)
	}
	// Output: https://login.example.com default <nil>
}

// A file that cannot be read is never overwritten; who wants to be rid of it
// deletes it, as Account.Logout of the client does.
func ExampleStore_Delete_unreadable() {
	config, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(config)
	dir := filepath.Join(config, "grants")
	store := filestore.New(dir)
	ctx, key := context.Background(), tokenstore.Key{Issuer: "https://login.example.com", ClientID: "my-cli", Account: "default"}
	if _, err := store.Save(ctx, key, []byte("sealed bytes"), ""); err != nil {
		log.Fatal(err)
	}
	damage(dir)

	_, version, err := store.Load(ctx, key)
	fmt.Println("unreadable:", errors.Is(err, tokenstore.ErrUnreadable))
	fmt.Println("deleted:", store.Delete(ctx, key, version))
	_, _, err = store.Load(ctx, key)
	fmt.Println("gone:", errors.Is(err, tokenstore.ErrNotFound))
	// Output:
	// unreadable: true
	// deleted: <nil>
	// gone: true
}

// damage cuts every record short.
func damage(dir string) {
	names, _ := filepath.Glob(filepath.Join(dir, "*.grant"))
	for _, name := range names {
		if err := os.Truncate(name, 10); err != nil {
			log.Fatal(err)
		}
	}
}
