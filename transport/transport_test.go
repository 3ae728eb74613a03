package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/transport"
)

// unreachable is a Base that must not be used.
func unreachable(t *testing.T) http.RoundTripper {
	return roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		t.Errorf("%v was sent", req.URL)
		return nil, errors.New("unreachable")
	})
}

// wantError sends req with a body, and checks that it fails with an error that
// says want and no secret, and that the body is closed.
func wantError(t *testing.T, rt http.RoundTripper, req *http.Request, want string) error {
	t.Helper()
	body := &trackedBody{Reader: strings.NewReader("body")}
	req.Body = body
	resp, err := rt.RoundTrip(req)
	if err == nil {
		t.Fatalf("no error; want %q", want)
	}
	if resp != nil {
		t.Error("both a response and an error")
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("error %q; want %q", err, want)
	}
	for _, secret := range []string{secret, "p4ss"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("error %q tells a secret", err)
		}
	}
	if !body.closed {
		t.Error("the body of the request is not closed")
	}
	return err
}

// echo starts a server that answers with the Authorization headers it got.
func echo(t *testing.T) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q", r.Header.Values("Authorization"))
	}))
	t.Cleanup(srv.Close)
	return srv
}

func wantBody(t *testing.T, resp *http.Response, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWithoutATokenNothingIsSent(t *testing.T) {
	for _, test := range []struct {
		name   string
		source transport.Source
		want   string
	}{
		{"no source", nil, "Transport.Source is nil"},
		{"no oauth2 source", transport.FromOAuth2(nil), "Transport.Source is nil"},
		{"the source fails", fixed(nil, errNoGrant), "transport: no token, so the request was not sent: there is no grant"},
		{"the source fails and gives a token", fixed(&oauth2.Token{AccessToken: secret}, errNoGrant), "there is no grant"},
		{"the source gives nothing", fixed(nil, nil), "neither a token nor an error"},
		{"the token is empty", fixed(&oauth2.Token{RefreshToken: secret}, nil), "neither a token nor an error"},
		{"a MAC token", fixed(&oauth2.Token{AccessToken: secret, TokenType: "mac"}, nil), `of type "mac"`},
		{"a DPoP token", fixed(&oauth2.Token{AccessToken: secret, TokenType: "DPoP"}, nil), `of type "DPoP"`},
		{"a hostile type", fixed(&oauth2.Token{AccessToken: secret, TokenType: "N_A\r\nX: y"}, nil), `of type "N_A\r\nX: y"`},
		{"a line end", fixed(&oauth2.Token{AccessToken: secret + "\n"}, nil), "from a file with its line end"},
		{"a header of its own", fixed(&oauth2.Token{AccessToken: secret + "\r\nX-Evil: 1"}, nil), "line end"},
		{"a space", fixed(&oauth2.Token{AccessToken: "a " + secret}, nil), "a space"},
		{"a zero byte", fixed(&oauth2.Token{AccessToken: secret + "\x00"}, nil), "another character"},
		{"a letter beyond ASCII", fixed(&oauth2.Token{AccessToken: secret + "é"}, nil), "another character"},
		{"a byte beyond ASCII", fixed(&oauth2.Token{AccessToken: secret + "\xff"}, nil), "another character"},
	} {
		t.Run(test.name, func(t *testing.T) {
			rt := &transport.Transport{Source: test.source, Base: unreachable(t)}
			wantError(t, rt, newRequest(t, http.MethodPost, "https://api.example.com/", nil), test.want)
		})
	}
}

func TestARequestWithoutURLIsRefused(t *testing.T) {
	rt := &transport.Transport{Source: fixed(&oauth2.Token{AccessToken: secret}, nil), Base: unreachable(t)}
	wantError(t, rt, new(http.Request), "no URL")
}

type typedError struct{ Code string }

func (e *typedError) Error() string { return e.Code }

func TestTheErrorOfTheSourceReachesTheCaller(t *testing.T) {
	cause := &typedError{"interaction_required"}
	c := &http.Client{Transport: &transport.Transport{
		Source: fixed(nil, fmt.Errorf("%w: %w", errNoGrant, cause)),
		Base:   unreachable(t),
	}}
	_, err := c.Get("https://api.example.com/")
	if !errors.Is(err, errNoGrant) {
		t.Errorf("errors.Is does not find the error of the Source in %v", err)
	}
	if e, ok := errors.AsType[*typedError](err); !ok || e != cause {
		t.Errorf("errors.AsType does not find the error of the Source in %v", err)
	}
}

func TestTheErrorOfTheBaseReachesTheCaller(t *testing.T) {
	refused := errors.New("connection refused")
	rt := &transport.Transport{
		Source: fixed(&oauth2.Token{AccessToken: secret}, nil),
		Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			return new(http.Response), errors.Join(refused, req.Body.Close())
		}),
	}
	if err := wantError(t, rt, newRequest(t, http.MethodPost, "https://api.example.com/", nil), "refused"); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
}

func TestTheTokenIsSentAsABearerToken(t *testing.T) {
	srv := echo(t)
	for _, tokenType := range []string{"", "Bearer", "bearer", "BEARER"} {
		t.Run(tokenType, func(t *testing.T) {
			c := &http.Client{Transport: &transport.Transport{Source: fixed(&oauth2.Token{AccessToken: "1|a/b+c=.~", TokenType: tokenType}, nil)}}
			resp, err := c.Get(srv.URL)
			wantBody(t, resp, err, `["Bearer 1|a/b+c=.~"]`)
		})
	}
}

func TestOneAuthorizationHeaderIsSentWhateverTheCallerSet(t *testing.T) {
	srv := echo(t)
	c := &http.Client{Transport: &transport.Transport{Source: fixed(&oauth2.Token{AccessToken: secret}, nil)}}
	for _, test := range []struct {
		name   string
		header http.Header
	}{
		{"nothing", nil},
		{"one", http.Header{"Authorization": {"Basic dTpw"}}},
		{"two", http.Header{"Authorization": {"Basic dTpw", "Bearer old"}}},
		{"not canonical", http.Header{"authorization": {"Bearer old"}, "AUTHORIZATION": {"Bearer older"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := newRequest(t, http.MethodGet, srv.URL, nil)
			req.Header = test.header
			resp, err := c.Do(req)
			wantBody(t, resp, err, `["Bearer `+secret+`"]`)
		})
	}
	t.Run("in the URL", func(t *testing.T) {
		resp, err := c.Get(strings.Replace(srv.URL, "http://", "http://user:p4ss@", 1))
		wantBody(t, resp, err, `["Bearer `+secret+`"]`)
	})
}

func TestARequestWithoutHeaderMapGetsTheToken(t *testing.T) {
	req := newRequest(t, http.MethodGet, echo(t).URL, nil)
	req.Header = nil
	rt := &transport.Transport{Source: fixed(&oauth2.Token{AccessToken: secret}, nil)}
	resp, err := rt.RoundTrip(req)
	wantBody(t, resp, err, `["Bearer `+secret+`"]`)
}

func TestNeitherTheRequestNorTheResponseHoldsTheToken(t *testing.T) {
	srv := echo(t)
	req := newRequest(t, http.MethodPost, srv.URL, strings.NewReader("body"))
	req.Header.Set("Authorization", "Bearer of-the-caller")
	req.Header.Set("Accept", "*/*")
	req.GetBody = nil // functions cannot be compared
	before, header := *req, maps.Clone(req.Header)

	rt := &transport.Transport{Source: fixed(&oauth2.Token{AccessToken: secret}, nil)}
	resp, err := rt.RoundTrip(req)
	wantBody(t, resp, err, `["Bearer `+secret+`"]`)
	if !reflect.DeepEqual(*req, before) || !reflect.DeepEqual(req.Header, header) {
		t.Error("the request of the caller was changed")
	}
	if resp.Request != req {
		t.Errorf("the Request of the response has the header %v", resp.Request.Header)
	}
}

func TestATokenIsSentAsSoonAsTheSourceHasIt(t *testing.T) {
	srv := echo(t)
	shared := new(oauth2.Token)
	c := &http.Client{Transport: &transport.Transport{Source: fixed(shared, nil)}}
	for _, token := range []string{"first", "second", "first"} {
		shared.AccessToken = token
		resp, err := c.Get(srv.URL)
		wantBody(t, resp, err, `["Bearer `+token+`"]`)
	}
	shared.TokenType = "mac"
	if _, err := c.Get(srv.URL); err == nil {
		t.Error("a token was sent after its type had changed")
	}
}

type accountKey struct{}

func TestTheContextOfTheRequestReachesTheSource(t *testing.T) {
	srv := echo(t)
	c := &http.Client{Transport: &transport.Transport{
		Source: sourceFunc(func(ctx context.Context) (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: ctx.Value(accountKey{}).(string)}, nil
		}),
	}}
	for _, account := range []string{"alice", "bob"} {
		req := newRequest(t, http.MethodGet, srv.URL, nil)
		resp, err := c.Do(req.WithContext(context.WithValue(t.Context(), accountKey{}, account)))
		wantBody(t, resp, err, `["Bearer `+account+`"]`)
	}
}

func TestAnOAuth2SourceIsNotAskedForARequestThatHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ts := oauth2.ReuseTokenSource(nil, tokenSourceFunc(func() (*oauth2.Token, error) {
		t.Error("it was asked")
		return nil, errNoGrant
	}))
	if _, err := transport.FromOAuth2(ts).Token(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

type tokenSourceFunc func() (*oauth2.Token, error)

func (f tokenSourceFunc) Token() (*oauth2.Token, error) { return f() }

func TestTheDefaultClientIsLeftAlone(t *testing.T) {
	srv := echo(t)
	client, base := *http.DefaultClient, http.DefaultTransport
	c := &http.Client{Transport: &transport.Transport{Source: fixed(&oauth2.Token{AccessToken: secret}, nil)}}
	resp, err := c.Get(srv.URL)
	wantBody(t, resp, err, `["Bearer `+secret+`"]`)
	if !reflect.DeepEqual(*http.DefaultClient, client) || http.DefaultTransport != base {
		t.Error("http.DefaultClient or http.DefaultTransport was changed")
	}
	resp, err = http.Get(srv.URL)
	wantBody(t, resp, err, "[]")
}

func TestFieldCase_CVE_2024_51987_TwoAccountsOverOneBaseNeverSwapTokens(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account := r.FormValue("account")
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "+account+"-") {
			t.Errorf("a request of %s came with %q", account, r.Header.Get("Authorization"))
		}
		// Every third request makes its account renew.
		if r.FormValue("refuse") == "yes" {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer srv.Close()
	base := &http.Transport{MaxIdleConnsPerHost: 16}
	defer base.CloseIdleConnections()

	var accounts []*http.Client
	for _, name := range []string{"alice", "bob"} {
		accounts = append(accounts, &http.Client{Transport: &transport.Transport{Source: &rotation{name: name}, Base: base}})
	}
	const requests = 1000
	slots := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for i := range requests {
		query := url.Values{"account": {[]string{"alice", "bob"}[i%2]}}
		if i%3 == 0 {
			query.Set("refuse", "yes")
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			resp, err := accounts[i%2].Get(srv.URL + "?" + query.Encode())
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	wg.Wait()
}
