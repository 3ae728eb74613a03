// Quickstart logs a user in, and then calls a protected API through several
// expiries: from many goroutines, then from several processes, one of which is
// killed while it renews the grant.
//
//	go run ./examples/quickstart            # brings its own server and its own user
//	go run ./examples/quickstart -browser   # you are the user
//	go run ./examples/quickstart -h         # your own server, and the other flags
//
// How the library is used is in this file; use is all that a program needs. The
// other files are the show around it: director.go says what happens and when,
// actor.go what each process does, summary.go when it is clean.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// use is what a program does with the library. All processes of the show run it:
// the one that logs in, and those that find the grant in the store.
func use(ctx context.Context, cfg client.Config, user client.Flow, work func(*client.Account)) (err error) {
	c, err := client.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	me := c.Account("default")
	if err := me.Ensure(ctx, user); err != nil { // logs in only if nothing usable is kept
		return err
	}
	work(me)
	return nil
}

// call makes one request: me.HTTPClient() is a http.Client like any other. It
// renews, rotates and persists by itself.
func call(ctx context.Context, me *client.Account, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := me.HTTPClient().Do(req)
	if err != nil {
		return err // errors.Is(err, client.ErrLoginRequired): only the user can help
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answered %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// logOut makes the server forget the grant, and then the store.
func logOut(ctx context.Context, cfg client.Config) (err error) {
	c, err := client.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	_, err = c.Account("default").Logout(ctx)
	return err
}

// config says who the program is, where it logs in, and where it keeps the grant.
func (s *setup) config() (client.Config, error) {
	sealer, err := tokenstore.NewSealer(s.Key) // 32 bytes, from where your other secrets are
	if err != nil {
		return client.Config{}, err
	}
	cfg := client.Config{
		Issuer:   s.Issuer,
		ClientID: s.ClientID,
		Scopes:   s.Scopes, // nil: openid and offline_access
		Params:   s.Params,
		Store:    filestore.New(s.Dir),
		Sealer:   sealer,
	}
	if s.ClientSecret != "" {
		cfg.Auth = client.Secret(s.ClientSecret)
	}
	return cfg, nil
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == childArg {
		os.Exit(child(os.Stdin, os.Stdout))
	}
	os.Exit(play(os.Args[1:], os.Stdout, os.Stderr))
}
