// Command grant sends one request with the grant that a filestore or a keyringstore
// keeps.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/keyringstore"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "grant:", err)
		os.Exit(1)
	}
}

func run() error {
	var task struct {
		API, Issuer, ClientID, Dir, Keychain string
		Key                                  []byte
	}
	if err := json.NewDecoder(os.Stdin).Decode(&task); err != nil {
		return err
	}
	cfg := client.Config{Issuer: task.Issuer, ClientID: task.ClientID}
	if task.Key == nil {
		store := keyringstore.New(task.Keychain)
		store.Dir = task.Dir
		cfg.Store = store
	} else {
		sealer, err := tokenstore.NewSealer(task.Key)
		if err != nil {
			return err
		}
		cfg.Store, cfg.Sealer = filestore.New(task.Dir), sealer
	}
	c, err := client.New(cfg)
	if err != nil {
		return err
	}
	resp, err := c.Account("alice").HTTPClient().Get(task.API)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers %s", resp.Status)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	return c.Close()
}
