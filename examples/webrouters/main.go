// Webrouters is the web login of a small site, with net/http and with chi, and with
// the sessions of scs:
//
//	go run ./examples/webrouters              # open http://127.0.0.1:8080
//	go run ./examples/webrouters -router chi
//
// Without -issuer, an authorization server for tests runs inside; its user is alice.
// What to look at: a login begins and ends with POST requests that no other site can
// send (http.CrossOriginProtection); the session is renewed when the user signs in;
// and nobody can choose a return path that leads to another site (Client.ReturnTo).
package main

import (
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	router := flag.String("router", "nethttp", "nethttp or chi")
	issuer := flag.String("issuer", "", "issuer of a real authorization server, where http://ADDR/callback is registered as a redirect URI")
	clientID := flag.String("client-id", "", "client identifier at the issuer; its secret is taken from CLIENT_SECRET")
	flag.Parse()
	if err := run(*addr, *router, *issuer, *clientID); err != nil {
		log.Fatal(err)
	}
}

func run(addr, router, issuer, clientID string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer l.Close()
	url := "http://" + l.Addr().String()

	key := make([]byte, 32) // of a site with several machines: the same for all, from a vault
	_, _ = rand.Read(key)   // never fails
	sealer, err := tokenstore.NewSealer(key)
	if err != nil {
		return err
	}
	cfg := client.Config{Issuer: issuer, ClientID: clientID, Store: memstore.New(), Sealer: sealer}
	if secret := os.Getenv("CLIENT_SECRET"); secret != "" {
		cfg.Auth = client.Secret(secret)
	}
	if issuer == "" {
		as, err := clienttest.Start(clienttest.Options{LoginPage: true})
		if err != nil {
			return err
		}
		defer as.Close()
		cfg = as.ConfidentialConfig()
	}
	cfg.RedirectURL = url + "/callback"
	c, err := client.New(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()

	mount, ok := routers[router]
	if !ok {
		return fmt.Errorf("there is no router %q here", router)
	}
	fmt.Println("open", url)
	return (&http.Server{Handler: mount(newSite(c, url+"/")), ReadHeaderTimeout: 10 * time.Second}).Serve(l)
}

var routers = map[string]func(*site) http.Handler{"nethttp": withNetHTTP, "chi": withChi}
