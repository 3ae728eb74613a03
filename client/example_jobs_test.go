package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/regrant/regrant/client"
)

// A job at night renews what nobody has used for a month, on every machine if need
// be, and tells how far it is.
func ExampleClient_KeepAlive() {
	s := server()
	defer s.Close()
	cfg := s.Config()
	cfg.OnEvent = func(_ context.Context, e client.Event) {
		if e.Kind == client.KeptAlive {
			fmt.Println(e.Done, "of", e.Total)
		}
	}
	c, err := client.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	me := c.Account("alice")
	if err := me.Login(context.Background(), oldFile(s)); err != nil {
		log.Fatal(err)
	}

	const maxIdle = time.Nanosecond // 30 * 24 * time.Hour
	if err := c.KeepAlive(context.Background(), maxIdle); err != nil {
		log.Print(err)
	}
	status, err := me.Status(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.State, "generation", status.Generation)
	// Output:
	// 1 of 1
	// 1 of 1
	// fresh generation 1
}

// The server tells a web program that a user has logged out there. This one names its
// accounts by the sub of the ID token, as BeginLogin with account "" does.
func ExampleClient_BackChannelLogout() {
	s := server()
	defer s.Close()
	c, err := client.New(s.Config())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Account("alice").Login(context.Background(), client.Browser{Open: s.BrowserOf("alice")}); err != nil {
		log.Fatal(err)
	}

	bySub := func(sub string) []string { return []string{sub} }
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.BackChannelLogout(w, r, bySub); err != nil {
			log.Print(err)
		}
	}))
	defer app.Close()

	notice := url.Values{"logout_token": {s.LogoutToken(map[string]any{"sub": "alice"})}}
	resp, err := http.PostForm(app.URL, notice) // as the server does
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	status, err := c.Account("alice").Status(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, status.State)
	// Output: 200 login_required
}
