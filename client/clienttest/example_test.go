package clienttest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client/clienttest"
)

// program stands for a program that holds a grant, and knows nothing of this
// package: here, plain golang.org/x/oauth2.
func program(s *clienttest.Server, refreshToken string) (context.Context, oauth2.TokenSource) {
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, s.HTTPClient())
	config := oauth2.Config{ClientID: clienttest.PublicClient, Endpoint: s.Endpoint()}
	return ctx, config.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken})
}

// A program calls an API, and the test says "this refresh token was spent once".
// In a test, use NewServer(t) instead of Start.
func Example() {
	s, err := clienttest.Start(clienttest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	refreshToken := s.Grant("alice").RefreshToken
	ctx, source := program(s, refreshToken)
	for range 3 {
		resp, err := oauth2.NewClient(ctx, source).Get(s.URL(clienttest.APIPath))
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}

	fmt.Println("spent:", s.Spent(refreshToken))
	fmt.Println("reused:", s.Reused())
	// Output:
	// 200 OK
	// 200 OK
	// 200 OK
	// spent: 1
	// reused: 0
}

// The answer to a refresh is lost after the server has rotated the token. A
// program that tries again reuses the old one, and is logged out everywhere.
func ExampleServer_FailNext() {
	s, err := clienttest.Start(clienttest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	refreshToken := s.Grant("alice").RefreshToken
	s.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 1)
	_, source := program(s, refreshToken)
	for range 2 {
		_, err := source.Token()
		fmt.Println("failed:", err != nil)
	}

	for _, x := range s.Exchanges() {
		fmt.Println(x.Number, x.Outcome, x.Status)
	}
	fmt.Println("alive:", s.FamilyAlive("alice"))
	// Output:
	// failed: true
	// failed: true
	// 1 accepted 0
	// 2 reused 400
	// alive: false
}

// The same program goes on where the server has a grace period.
func ExampleServer_Set() {
	s, err := clienttest.Start(clienttest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	s.Set(func(o *clienttest.Options) {
		o.Grace = 30 * time.Second
		o.InGrace = clienttest.SamePair
	})
	s.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 1)
	_, source := program(s, s.Grant("alice").RefreshToken)
	for range 2 {
		_, err := source.Token()
		fmt.Println("failed:", err != nil)
	}
	fmt.Println("alive:", s.FamilyAlive("alice"))
	// Output:
	// failed: true
	// failed: false
	// alive: true
}

// An API of one's own asks the server whether an access token is alive.
func ExampleServer_Protect() {
	s, err := clienttest.Start(clienttest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	api := httptest.NewServer(s.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", clienttest.AccountFrom(r.Context()))
	})))
	defer api.Close()

	call := func(accessToken string) {
		ctx := context.Background()
		c := oauth2.NewClient(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: accessToken}))
		resp, err := c.Get(api.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		fmt.Printf("%d %s\n", resp.StatusCode, body)
	}

	grant := s.Grant("alice")
	call(grant.AccessToken)
	s.RevokeAccess("alice")
	call(grant.AccessToken)
	// Output:
	// 200 hello, alice
	// 401 Unauthorized
}
