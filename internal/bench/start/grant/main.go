// Command grant sends one request with the grant that a filestore keeps.
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
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "grant:", err)
		os.Exit(1)
	}
}

func run() error {
	var task struct {
		API, Issuer, ClientID, Dir string
		Key                        []byte
	}
	if err := json.NewDecoder(os.Stdin).Decode(&task); err != nil {
		return err
	}
	sealer, err := tokenstore.NewSealer(task.Key)
	if err != nil {
		return err
	}
	c, err := client.New(client.Config{Issuer: task.Issuer, ClientID: task.ClientID, Store: filestore.New(task.Dir), Sealer: sealer})
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
