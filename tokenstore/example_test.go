package tokenstore_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// A command-line program keeps grants in files, sealed with a passphrase that
// the user gives it.
func Example_files() {
	dir, err := os.MkdirTemp("", "") // use os.UserConfigDir
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	passphrase := "correct horse battery staple" // ask for it, or read it from the environment

	sealer, err := tokenstore.NewPassphraseSealer(passphrase)
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{
		Issuer:   "https://login.example.com",
		ClientID: "my-cli",
		Store:    filestore.New(filepath.Join(dir, "my-cli", "grants")),
		Sealer:   sealer,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	_, err = c.Account("default").Token(context.Background())
	fmt.Println("log in first:", errors.Is(err, client.ErrLoginRequired))
	// Output: log in first: true
}

// A server has its key in its environment, made once with
// "openssl rand -base64 32".
func ExampleNewSealer() {
	os.Setenv("GRANTS_KEY", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")

	key, err := base64.StdEncoding.DecodeString(os.Getenv("GRANTS_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	sealer, err := tokenstore.NewSealer(key) // an unset variable is an error
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sealer) // does not show the key
	// Output: [sealer]
}
