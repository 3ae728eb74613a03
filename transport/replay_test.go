package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/transport"
)

// An api is a protected API that takes one token and refuses all others.
type api struct {
	*httptest.Server
	accepts   string   // the token it takes
	status    int      // of a refusal
	challenge []string // of a refusal

	mu     sync.Mutex
	tokens []string // those that came, in order
	bodies []string
}

func newAPI(t *testing.T, accepts string, challenge ...string) *api {
	a := &api{accepts: accepts, status: http.StatusUnauthorized, challenge: challenge}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	a.mu.Lock()
	a.tokens = append(a.tokens, token)
	a.bodies = append(a.bodies, string(body))
	a.mu.Unlock()
	if token == a.accepts {
		io.WriteString(w, "welcome")
		return
	}
	for _, line := range a.challenge {
		w.Header().Add("WWW-Authenticate", line)
	}
	w.WriteHeader(a.status)
	io.WriteString(w, "go away")
}

func (a *api) wantTokens(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(a.tokens, want) {
		t.Errorf("the API got the tokens %q, want %q", a.tokens, want)
	}
}

func wantStatus(t *testing.T, resp *http.Response, err error, status int, body string) {
	t.Helper()
	wantBody(t, resp, err, body)
	if resp.StatusCode != status {
		t.Errorf("status %d, want %d", resp.StatusCode, status)
	}
}

const invalidToken = `Bearer realm="api", error="invalid_token", error_description="expired, or so"`

func TestARefusedTokenIsRenewedAndTheRequestSentOnceMore(t *testing.T) {
	api := newAPI(t, "alice-1", invalidToken)
	source := &rotation{name: "alice"}
	c := &http.Client{Transport: &transport.Transport{Source: source}}
	resp, err := c.Get(api.URL)
	wantStatus(t, resp, err, http.StatusOK, "welcome")
	api.wantTokens(t, "alice-0", "alice-1")
	if source.renewals != 1 {
		t.Errorf("%d renewals", source.renewals)
	}
}

func TestTheSecondAnswerReachesTheCaller(t *testing.T) {
	api := newAPI(t, "none", invalidToken)
	source := &rotation{name: "alice"}
	c := &http.Client{Transport: &transport.Transport{Source: source}}
	resp, err := c.Get(api.URL)
	wantStatus(t, resp, err, http.StatusUnauthorized, "go away")
	api.wantTokens(t, "alice-0", "alice-1")
	if source.renewals != 1 {
		t.Errorf("%d renewals", source.renewals)
	}
}

func TestATokenThatIsNoLongerCurrentIsReplacedWithoutARenewal(t *testing.T) {
	api := newAPI(t, "alice-1", invalidToken)
	source := &rotation{name: "alice"}
	stale, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Refresh(t.Context(), stale); err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: &transport.Transport{Source: staleSource{source, stale}}}
	resp, err := c.Get(api.URL)
	wantStatus(t, resp, err, http.StatusOK, "welcome")
	api.wantTokens(t, "alice-0", "alice-1")
	if source.renewals != 1 {
		t.Errorf("%d renewals, want the one before the request", source.renewals)
	}
}

// A staleSource hands out a token of before the last renewal, as to a request
// that was under way at that time.
type staleSource struct {
	*rotation
	stale *oauth2.Token
}

func (s staleSource) Token(context.Context) (*oauth2.Token, error) { return s.stale, nil }

func TestWhatA401AsksForDecidesWhetherTheTokenIsRenewed(t *testing.T) {
	for _, test := range []struct {
		name      string
		challenge []string
		renewed   bool
	}{
		{"no challenge", nil, true},
		{"no reason", []string{`Bearer realm="api"`}, true},
		{"no parameters", []string{"Bearer"}, true},
		{"unreadable", []string{`"`}, true},
		{"invalid_token", []string{invalidToken}, true},
		{"other cases", []string{`BEARER Error="invalid_token"`}, true},
		{"a comma after the scheme", []string{`Bearer, error="invalid_token"`}, true},
		{"for DPoP", []string{`DPoP error="invalid_token", algs="ES256"`}, true},
		{"after Basic, in one line", []string{`Basic realm="a, b", Bearer error="invalid_token"`}, true},
		{"after Basic, in another line", []string{`Basic realm="a, b"`, `Bearer error="invalid_token"`}, true},
		{"Bearer without reason beside Basic", []string{`Basic realm="api", Bearer`}, true},
		{"a scheme of its own", []string{`OAuth2 realm="api", error="invalid_token"`}, true},
		{"a scheme without parameters", []string{`Token`}, true},
		{"a code of its own, as hydra has", []string{`Bearer error="request_unauthorized",error_description="The request could not be authorized."`}, true},

		{"insufficient_scope", []string{`Bearer error="insufficient_scope", scope="a b"`}, false},
		{"insufficient_user_authentication", []string{`Bearer error="insufficient_user_authentication", acr_values="mfa", max_age=0`}, false},
		{"invalid_request", []string{`Bearer error="invalid_request"`}, false},
		{"a nonce", []string{`Bearer, DPoP error="use_dpop_nonce"`}, false},
		{"more claims", []string{`Bearer realm="", error="insufficient_claims", claims="e30="`}, false},
		{"two reasons", []string{invalidToken, `Bearer error="insufficient_scope"`}, false},
		{"the word in the description", []string{`Bearer error="insufficient_scope", error_description="not invalid_token, error=invalid_token"`}, false},
		{"Basic alone", []string{`BASIC realm="api"`}, false},
		{"Basic with an error of its own", []string{`Basic realm="api", error="invalid_token"`}, false},
		{"tickets alone", []string{"Negotiate", "NTLM"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := newAPI(t, "alice-1", test.challenge...)
			source := &rotation{name: "alice"}
			c := &http.Client{Transport: &transport.Transport{Source: source}}
			resp, err := c.Get(api.URL)
			if test.renewed {
				wantStatus(t, resp, err, http.StatusOK, "welcome")
				api.wantTokens(t, "alice-0", "alice-1")
			} else {
				wantStatus(t, resp, err, http.StatusUnauthorized, "go away")
				api.wantTokens(t, "alice-0")
				if source.renewals != 0 {
					t.Errorf("%d renewals", source.renewals)
				}
			}
		})
	}
}

func TestOnlyA401RenewsTheToken(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusServiceUnavailable} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			api := newAPI(t, "alice-1", invalidToken)
			api.status = status
			source := &rotation{name: "alice"}
			c := &http.Client{Transport: &transport.Transport{Source: source}}
			resp, err := c.Get(api.URL)
			wantStatus(t, resp, err, status, "go away")
			api.wantTokens(t, "alice-0")
			if source.renewals != 0 {
				t.Errorf("%d renewals", source.renewals)
			}
		})
	}
}

func TestA403ForMoreScopesRenewsNothing(t *testing.T) {
	api := newAPI(t, "alice-1", `Bearer error="insufficient_scope", scope="things:write"`)
	api.status = http.StatusForbidden
	source := &rotation{name: "alice"}
	c := &http.Client{Transport: &transport.Transport{Source: source}}
	resp, err := c.Get(api.URL)
	wantStatus(t, resp, err, http.StatusForbidden, "go away")
	if source.renewals != 0 {
		t.Errorf("%d renewals", source.renewals)
	}
}

func TestA401IsReturnedAsItIsIfThereIsNoBetterToken(t *testing.T) {
	for _, test := range []struct {
		name   string
		source transport.Source
	}{
		{"a source that cannot renew", fixed(&oauth2.Token{AccessToken: "alice-0"}, nil)},
		{"the renewal fails", &rotation{name: "alice", err: errNoGrant}},
		{"the renewal brings the same token", &rotation{name: "alice", stuck: true}},
		{"the renewal brings nothing", brokenSource{&rotation{name: "alice"}, nil}},
		{"the renewal brings an empty token", brokenSource{&rotation{name: "alice"}, new(oauth2.Token)}},
		{"the renewal brings a token that cannot be sent", brokenSource{&rotation{name: "alice"}, &oauth2.Token{AccessToken: "alice-1\n"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := newAPI(t, "alice-1", invalidToken)
			c := &http.Client{Transport: &transport.Transport{Source: test.source}}
			resp, err := c.Post(api.URL, "text/plain", strings.NewReader("order"))
			wantStatus(t, resp, err, http.StatusUnauthorized, "go away")
			api.wantTokens(t, "alice-0")
		})
	}
}

// A brokenSource renews its token to one of no use.
type brokenSource struct {
	*rotation
	renewed *oauth2.Token
}

func (s brokenSource) Refresh(context.Context, *oauth2.Token) (*oauth2.Token, error) {
	return s.renewed, nil
}

func TestFieldCase_modelcontextprotocol_go_sdk_590_ABodyIsSentAgainIfItCanBeHadAgain(t *testing.T) {
	api := newAPI(t, "alice-1", invalidToken)
	c := &http.Client{Transport: &transport.Transport{Source: &rotation{name: "alice"}}}
	resp, err := c.Post(api.URL, "text/plain", strings.NewReader("order"))
	wantStatus(t, resp, err, http.StatusOK, "welcome")
	if want := []string{"order", "order"}; !slices.Equal(api.bodies, want) {
		t.Errorf("the API got the bodies %q, want %q", api.bodies, want)
	}
}

func TestARequestWithoutBodyCanBeSentAgain(t *testing.T) {
	for _, body := range []io.ReadCloser{nil, http.NoBody} {
		api := newAPI(t, "alice-1", invalidToken)
		rt := &transport.Transport{Source: &rotation{name: "alice"}}
		req := newRequest(t, http.MethodPost, api.URL, nil)
		req.Body = body
		resp, err := rt.RoundTrip(req)
		wantStatus(t, resp, err, http.StatusOK, "welcome")
		api.wantTokens(t, "alice-0", "alice-1")
	}
}

func TestFieldCase_gastownhall_gascity_5520_ABodyThatIsGoneLeavesThe401AndTheNextRequestWorks(t *testing.T) {
	for _, test := range []struct {
		name    string
		getBody func() (io.ReadCloser, error)
	}{
		{"no GetBody", nil},
		{"GetBody fails", func() (io.ReadCloser, error) { return nil, errors.New("the file is gone") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := newAPI(t, "alice-1", invalidToken)
			source := &rotation{name: "alice"}
			c := &http.Client{Transport: &transport.Transport{Source: source}}
			stream, writer := io.Pipe()
			go func() {
				io.WriteString(writer, "order")
				writer.Close()
			}()
			req := newRequest(t, http.MethodPost, api.URL, stream)
			req.GetBody = test.getBody
			resp, err := c.Do(req)
			wantStatus(t, resp, err, http.StatusUnauthorized, "go away")
			if source.renewals != 1 {
				t.Errorf("%d renewals, want 1", source.renewals)
			}

			resp, err = c.Get(api.URL)
			wantStatus(t, resp, err, http.StatusOK, "welcome")
			api.wantTokens(t, "alice-0", "alice-1")
		})
	}
}

func TestA401OfAServerThatDidNotGetTheTokenRenewsNothing(t *testing.T) {
	elsewhere := newAPI(t, "alice-1", invalidToken)
	srv := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer srv.Close()
	source := &rotation{name: "alice"}
	c := &http.Client{Transport: &transport.Transport{Source: source}}
	resp, err := c.Get(srv.URL)
	wantStatus(t, resp, err, http.StatusUnauthorized, "go away")
	elsewhere.wantTokens(t, "")
	if source.renewals != 0 {
		t.Errorf("%d renewals", source.renewals)
	}
}

func TestARedirectedRequestIsSentOnceMoreToo(t *testing.T) {
	api := newAPI(t, "alice-1", invalidToken)
	mux := http.NewServeMux()
	mux.Handle("/old", http.RedirectHandler("/new", http.StatusTemporaryRedirect))
	mux.Handle("/new", api)
	srv := httptest.NewServer(mux)
	defer srv.Close()
	c := &http.Client{Transport: &transport.Transport{Source: &rotation{name: "alice"}}}
	resp, err := c.Post(srv.URL+"/old", "text/plain", strings.NewReader("order"))
	wantStatus(t, resp, err, http.StatusOK, "welcome")
	api.wantTokens(t, "alice-0", "alice-1")
	if want := []string{"order", "order"}; !slices.Equal(api.bodies, want) {
		t.Errorf("the API got the bodies %q, want %q", api.bodies, want)
	}
}

func TestARenewalGetsTheContextAndTheTokenOfTheRequest(t *testing.T) {
	api := newAPI(t, "renewed", invalidToken)
	source := new(witness)
	c := &http.Client{Transport: &transport.Transport{Source: source}}
	req := newRequest(t, http.MethodGet, api.URL, nil)
	resp, err := c.Do(req.WithContext(context.WithValue(t.Context(), accountKey{}, "alice")))
	wantStatus(t, resp, err, http.StatusOK, "welcome")
	if source.account != "alice" || source.rejected == nil || source.rejected != source.given {
		t.Errorf("Refresh got the account %v and the token %p; the request was sent with %p", source.account, source.rejected, source.given)
	}
}

// A witness remembers what Refresh was called with.
type witness struct {
	account         any
	given, rejected *oauth2.Token
}

func (w *witness) Token(context.Context) (*oauth2.Token, error) {
	w.given = &oauth2.Token{AccessToken: "refused"}
	return w.given, nil
}

func (w *witness) Refresh(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error) {
	w.account, w.rejected = ctx.Value(accountKey{}), rejected
	return &oauth2.Token{AccessToken: "renewed"}, nil
}

// A refusedBody counts what is read of it.
type refusedBody struct {
	read   int
	closed int
}

func (b *refusedBody) Read(p []byte) (int, error) {
	b.read += len(p)
	return len(p), nil
}

func (b *refusedBody) Close() error {
	b.closed++
	return nil
}

func TestEveryBodyOfARepeatedRequestIsClosed(t *testing.T) {
	var sent []*trackedBody
	newBody := func() *trackedBody {
		b := &trackedBody{Reader: strings.NewReader("order")}
		sent = append(sent, b)
		return b
	}
	endless := new(refusedBody)
	rt := &transport.Transport{
		Source: &rotation{name: "alice"},
		Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			defer req.Body.Close()
			if _, err := io.ReadAll(req.Body); err != nil {
				t.Error(err)
			}
			if req.Header.Get("Authorization") == "Bearer alice-0" {
				return &http.Response{StatusCode: http.StatusUnauthorized, Body: endless}, nil
			}
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		}),
	}
	req := newRequest(t, http.MethodPost, "https://api.example.com/", newBody())
	req.GetBody = func() (io.ReadCloser, error) { return newBody(), nil }
	resp, err := rt.RoundTrip(req)
	wantStatus(t, resp, err, http.StatusOK, "")
	for i, body := range sent {
		if !body.closed {
			t.Errorf("body %d of %d is not closed", i+1, len(sent))
		}
	}
	if len(sent) != 2 {
		t.Errorf("%d bodies were made, want 2", len(sent))
	}
	if endless.closed != 1 {
		t.Errorf("the refused response was closed %d times", endless.closed)
	}
	if endless.read > 128<<10 {
		t.Errorf("%d bytes of the refused response were read", endless.read)
	}
}

func TestTheConnectionOfARefusedRequestIsUsedAgain(t *testing.T) {
	api := newAPI(t, "alice-1", invalidToken)
	var mu sync.Mutex
	connections := make(map[string]bool)
	api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr] = true
		mu.Unlock()
		api.ServeHTTP(w, r)
	})
	base := new(http.Transport)
	defer base.CloseIdleConnections()
	c := &http.Client{Transport: &transport.Transport{Source: &rotation{name: "alice"}, Base: base}}
	resp, err := c.Get(api.URL)
	wantStatus(t, resp, err, http.StatusOK, "welcome")
	if len(connections) != 1 {
		t.Errorf("%d connections, want 1", len(connections))
	}
}

func TestARefusalWithoutABodyIsRepeatedToo(t *testing.T) {
	rt := &transport.Transport{
		Source: &rotation{name: "alice"},
		Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("Authorization") == "Bearer alice-0" {
				return &http.Response{StatusCode: http.StatusUnauthorized}, nil
			}
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		}),
	}
	resp, err := rt.RoundTrip(newRequest(t, http.MethodGet, "https://api.example.com/", nil))
	wantStatus(t, resp, err, http.StatusOK, "")
}

func TestAnErrorOfTheSecondTryReachesTheCaller(t *testing.T) {
	reset := errors.New("connection reset")
	refused := new(refusedBody)
	rt := &transport.Transport{
		Source: &rotation{name: "alice"},
		Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("Authorization") == "Bearer alice-0" {
				return &http.Response{StatusCode: http.StatusUnauthorized, Body: refused}, nil
			}
			return nil, reset
		}),
	}
	resp, err := rt.RoundTrip(newRequest(t, http.MethodGet, "https://api.example.com/", nil))
	if !errors.Is(err, reset) || resp != nil {
		t.Errorf("response %v, error %v", resp, err)
	}
	if refused.closed != 1 {
		t.Errorf("the refused response was closed %d times", refused.closed)
	}
}
