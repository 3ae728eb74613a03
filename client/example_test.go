package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// server starts an authorization server for an example.
func server() *clienttest.Server {
	s, err := clienttest.Start(clienttest.Options{})
	if err != nil {
		panic(err)
	}
	return s
}

// oldFile stands for a token that the program has kept in a file of its own.
func oldFile(s *clienttest.Server) client.FlowFunc {
	return func(context.Context) (*oauth2.Token, error) { return s.Grant("alice"), nil }
}

// A program logs its user in once, and calls an API for ever after.
func Example() {
	s := server() // stands for your authorization server
	defer s.Close()
	ctx := context.Background()

	cfg := s.Config() // Issuer, ClientID, Store, Sealer
	c, err := client.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	me := c.Account("default")
	// In your program: client.Browser{}
	if err := me.Ensure(ctx, client.Browser{Open: s.Browser()}); err != nil {
		fmt.Println(err)
		return
	}
	resp, err := me.HTTPClient().Get(s.URL(clienttest.APIPath))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

func ExampleNew_problems() {
	_, err := client.New(client.Config{Issuer: "http://login.example.com", Store: memstore.New()})
	fmt.Println(err)
	// Output:
	// client: Config.Issuer is plain http: use https (http is for the loopback interface only)
	// client: Config.ClientID is empty: register the program at the authorization server and give the client identifier
	// client: Config.Sealer is nil, and *memstore.Store keeps what it is given in clear: set Sealer (tokenstore.NewSealer or tokenstore.NewPassphraseSealer), or choose a store that protects secrets itself (keyringstore)
}

func ExampleAccount_Token() {
	s := server()
	defer s.Close()
	c, err := client.New(s.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	_, err = c.Account("default").Token(context.Background())
	var e *client.Error
	switch {
	case errors.Is(err, client.ErrLoginRequired):
		fmt.Println("ask the user to log in")
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("my own patience ended")
	case errors.As(err, &e) && e.Temporary:
		fmt.Println("try again in", e.RetryAfter)
	case err != nil:
		fmt.Println("something has to be changed:", err)
	}
	// Output: ask the user to log in
}

// Moving from a token file of one's own: it is read only if nothing usable is
// kept yet, so that it never overwrites a token that was rotated since.
func ExampleFlowFunc() {
	s := server()
	defer s.Close()
	c, err := client.New(s.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	reads := 0
	old := client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
		reads++
		return s.Grant("alice"), nil // os.ReadFile and json.Unmarshal
	})
	for range 3 { // three starts of the program
		if err := c.Account("default").Ensure(context.Background(), old); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("the file was read", reads, "time")
	// Output: the file was read 1 time
}

func ExampleAccount_Claims() {
	s := server()
	defer s.Close()
	c, err := client.New(s.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	me := c.Account("default")
	if err := me.Login(context.Background(), oldFile(s)); err != nil {
		fmt.Println(err)
		return
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if err := me.Claims(context.Background(), &claims); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("logged in as", claims.Subject)
	// Output: logged in as alice
}

// Libraries that want the token of a call, such as gRPC credentials, get it
// from Token with the context of that call.
func ExampleAccount_Refresh() {
	s := server()
	defer s.Close()
	c, err := client.New(s.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	ctx, me := context.Background(), c.Account("default")
	if err := me.Login(ctx, oldFile(s)); err != nil {
		fmt.Println(err)
		return
	}
	token, err := me.Token(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The API refuses the token before its time. A hundred callers with this
	// token would cause one renewal.
	next, err := me.Refresh(ctx, token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("another token:", next.AccessToken != token.AccessToken)
	// Output: another token: true
}

func ExampleAccount_Logout() {
	s := server()
	defer s.Close()
	c, err := client.New(s.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	ctx, me := context.Background(), c.Account("default")
	if err := me.Login(ctx, oldFile(s)); err != nil {
		fmt.Println(err)
		return
	}
	endSessionURL, err := me.Logout(ctx)
	fmt.Println("the server knows:", err == nil)
	fmt.Println("its session in the browser ends at a URL:", endSessionURL != "")
	fmt.Println("the server honours the grant:", s.FamilyAlive("alice"))
	// Output:
	// the server knows: true
	// its session in the browser ends at a URL: true
	// the server honours the grant: false
}

func ExampleClient_Accounts() {
	s := server()
	defer s.Close()
	c, err := client.New(s.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.Account("work").Login(context.Background(), oldFile(s)); err != nil {
		fmt.Println(err)
		return
	}
	for status, err := range c.Accounts(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(status.Account, status.Scopes, time.Until(status.Expiry).Round(time.Minute))
	}
	// Output: work [openid offline_access profile] 5m0s
}

func ExampleEvent() {
	s := server()
	defer s.Close()
	plain := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "duration" || a.Key == "issuer" {
			return slog.Attr{} // differs from run to run
		}
		return a
	}}))
	cfg := s.Config()
	cfg.OnEvent = func(ctx context.Context, e client.Event) {
		plain.InfoContext(ctx, "oauth", "event", e)
	}
	c, err := client.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Account("default").Login(context.Background(), oldFile(s)); err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Close(); err != nil {
		fmt.Println(err)
	}
	// Output: level=INFO msg=oauth event.kind=logged_in event.client_id=test-client event.account=default event.generation=0
}

// One http.Client for requests of many users: the account comes from the
// context of each request, and everything else (renewal after a 401, redirects)
// stays as it is.
func ExampleAccount_Transport() {
	s := server()
	defer s.Close()
	c, err := client.New(s.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	for _, user := range []string{"alice", "bob"} {
		grant := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return s.Grant(user), nil })
		if err := c.Account(user).Login(context.Background(), grant); err != nil {
			fmt.Println(err)
			return
		}
	}
	type userKey struct{}
	shared := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		user, _ := r.Context().Value(userKey{}).(string) // "" fails: nobody's request is sent as somebody
		return c.Account(user).Transport(nil).RoundTrip(r)
	})}
	for _, user := range []string{"alice", "bob", ""} {
		ctx := context.WithValue(context.Background(), userKey{}, user)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL(clienttest.APIPath), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := shared.Do(req)
		if err != nil {
			fmt.Println("not sent")
			continue
		}
		_ = resp.Body.Close()
		fmt.Println(user, resp.Status)
	}
	// Output:
	// alice 200 OK
	// bob 200 OK
	// not sent
}
