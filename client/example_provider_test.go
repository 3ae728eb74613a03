package client_test

import (
	"context"
	"fmt"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/client/provider"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// GitHub has no discovery. Its name is enough: the profile has the endpoints, knows
// that errors come with status 200, and that a refresh token is good for one use.
func ExampleConfig_gitHub() {
	s, err := clienttest.Start(clienttest.Options{InMemory: true, Provider: "github"}) // stands for github.com
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	cfg := client.Config{
		Provider: "github",
		ClientID: clienttest.ConfidentialClient, Auth: client.Secret(clienttest.ConfidentialSecret),
		Store: memstore.New(), Sealer: exampleSealer(),
		HTTPClient: s.HTTPClient(), // not in your program
	}
	c, err := client.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	me := c.Account("default")
	if err := me.Ensure(context.Background(), client.Browser{Open: s.Browser()}); err != nil { // in your program: client.Browser{}
		fmt.Println(err)
		return
	}
	status, err := me.Status(context.Background())
	fmt.Println(status.Issuer, "the access token lives for", status.Expiry.Sub(status.Renewed), err)
	// Output: https://github.com the access token lives for 8h0m0s <nil>
}

// Google is known by its issuer, and gives a refresh token only if it is asked for
// offline access and the user is asked for consent. The profile asks. A program that
// asks otherwise is told what it lacks.
func ExampleConfig_google() {
	s, err := clienttest.Start(clienttest.Options{InMemory: true, Provider: "google"}) // stands for Google
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	cfg := client.Config{
		Issuer:   "https://accounts.google.com",
		ClientID: clienttest.PublicClient, Store: memstore.New(), Sealer: exampleSealer(),
		HTTPClient: s.HTTPClient(), // not in your program
	}
	for _, online := range []bool{false, true} {
		if online {
			cfg.Params = map[string][]string{"access_type": {"online"}} // goes before the profile
		}
		c, err := client.New(cfg)
		if err != nil {
			fmt.Println(err)
			return
		}
		err = c.Account("default").Login(context.Background(), client.Browser{Open: s.Browser()})
		fmt.Println("logged in:", err == nil)
		if err != nil {
			fmt.Println(provider.Lookup(cfg.Issuer).Advice)
		}
		_ = c.Close()
	}
	// Output:
	// logged in: true
	// logged in: false
	// Google gives a refresh token only with consent: set Config.Params access_type=offline and prompt=consent
}

func exampleSealer() tokenstore.Sealer {
	sealer, err := tokenstore.NewSealer([]byte("in your program 32 random bytes."))
	if err != nil {
		panic(err)
	}
	return sealer
}
