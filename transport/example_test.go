package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/transport"
)

// Any oauth2.TokenSource can give the tokens: one of clientcredentials.Config,
// of google.DefaultTokenSource, or a token from elsewhere, as here.
func ExampleFromOAuth2() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("Authorization"))
	}))
	defer api.Close()

	ts := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "ya29.example"})
	c := &http.Client{Transport: &transport.Transport{Source: transport.FromOAuth2(ts)}}

	resp, err := c.Get(api.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	// Output: Bearer ya29.example <nil>
}

// A client whose requests go wherever users or data tell it to must say where
// the token may go.
func ExampleTransport_origins() {
	ts := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "ya29.example"})
	c := &http.Client{Transport: &transport.Transport{
		Source:  transport.FromOAuth2(ts),
		Origins: []string{"https://api.example.com", "https://uploads.example.com"},
	}}

	_, err := c.Get("https://api.example.com.evil.example/v1/things")
	fmt.Println(err)
	// Output: Get "https://api.example.com.evil.example/v1/things": transport: https://api.example.com.evil.example is not in Origins, so the request was not sent
}

// A server can ask for a stronger or a more recent login than the one the
// token comes from (RFC 9470). Only the user can give that.
func ExampleChallenges() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication",`+
			` error_description="A transfer needs a second factor", acr_values="phr phrh", max_age="300"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer api.Close()
	ts := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "ya29.example"})
	c := &http.Client{Transport: &transport.Transport{Source: transport.FromOAuth2(ts)}}

	resp, err := c.Post(api.URL, "application/json", strings.NewReader(`{"amount": 100}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	for _, ch := range transport.Challenges(resp) {
		if strings.EqualFold(ch.Scheme, "Bearer") && ch.Params["error"] == "insufficient_user_authentication" {
			fmt.Println("log in again with")
			fmt.Println("acr_values =", ch.Params["acr_values"])
			fmt.Println("max_age =", ch.Params["max_age"])
		}
	}
	// Output:
	// log in again with
	// acr_values = phr phrh
	// max_age = 300
}

var errLoginRequired = errors.New("log in first")

type userKey struct{}

// userSource finds out from the context of a request whose token it needs.
type userSource map[string]*oauth2.Token

func (s userSource) Token(ctx context.Context) (*oauth2.Token, error) {
	user, _ := ctx.Value(userKey{}).(string)
	tok, ok := s[user]
	if !ok {
		return nil, errLoginRequired
	}
	return tok, nil
}

// One http.Client can serve many users. A request of nobody is not sent.
func ExampleSource() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("Authorization"))
	}))
	defer api.Close()
	c := &http.Client{Transport: &transport.Transport{Source: userSource{
		"alice": {AccessToken: "token-of-alice"},
		"bob":   {AccessToken: "token-of-bob"},
	}}}

	for _, user := range []string{"alice", "bob", ""} {
		ctx := context.WithValue(context.Background(), userKey{}, user)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.URL, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := c.Do(req)
		if errors.Is(err, errLoginRequired) {
			fmt.Println("no login, no request")
			return
		} else if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(string(body), err)
	}
	// Output:
	// Bearer token-of-alice <nil>
	// Bearer token-of-bob <nil>
	// no login, no request
}
