package keyringstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/keyringstore"
)

// A command-line program keeps its user's grant in sealed files, and their key in
// the keychain. It needs no Sealer.
func ExampleNew() {
	as, err := clienttest.Start(clienttest.Options{}) // your authorization server
	if err != nil {
		log.Fatal(err)
	}
	defer as.Close()

	c, err := client.New(client.Config{
		Issuer:   as.Issuer(),
		ClientID: clienttest.PublicClient,
		Store:    keyringstore.New("my-cli"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	me := c.Account("default")

	login := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return as.Grant("alice"), nil }) // client.Browser{}
	if err := me.Ensure(context.Background(), login); err != nil {
		log.Fatal(err)
	}
	resp, err := me.HTTPClient().Get(as.URL(clienttest.APIPath))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// Where there is no keychain the program decides, here for a passphrase. It does not
// decide so because a keychain is locked, or slow: then the grants would seem to have
// gone.
func ExampleStore_Check() {
	ctx := context.Background()
	var store tokenstore.Store
	var sealer tokenstore.Sealer // a keyringstore needs none

	keychain := keyringstore.New("my-cli")
	err := keychain.Check(ctx)
	switch {
	case err == nil:
		store = keychain
	case errors.Is(err, tokenstore.ErrUnavailable): // a server, a container, a login by SSH
		config, err := os.UserConfigDir()
		if err != nil {
			log.Fatal(err)
		}
		store = filestore.New(filepath.Join(config, "my-cli", "grants"))
		sealer, err = tokenstore.NewPassphraseSealer(os.Getenv("MY_CLI_PASSPHRASE")) // unset: an error
		if err != nil {
			log.Fatal(err)
		}
	default:
		log.Fatal(err) // says what to do
	}

	_, err = client.New(client.Config{Issuer: "https://login.example.com", ClientID: "my-cli", Store: store, Sealer: sealer})
	fmt.Printf("%T %v\n", store, err)
	// Output: *keyringstore.Store <nil>
}

// A key that is lost is told from a user who has not logged in.
func ExampleErrKeyLost() {
	store := keyringstore.New("my-cli")
	ctx, key := context.Background(), tokenstore.Key{Issuer: "https://login.example.com", ClientID: "my-cli", Account: "default"}

	_, _, err := store.Load(ctx, key)
	switch {
	case errors.Is(err, keyringstore.ErrKeyLost):
		fmt.Println("the keychain was reset: log out, and log in again")
	case errors.Is(err, tokenstore.ErrNotFound):
		fmt.Println("log in")
	}
	// Output: log in
}
