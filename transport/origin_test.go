package transport_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/transport"
)

// redirect is the address of a server of a web that redirects to another.
func redirect(from string, status int, to string) string {
	return from + "/?" + url.Values{"status": {strconv.Itoa(status)}, "to": {to}}.Encode()
}

// newOrigins starts the servers that the tests of this file redirect between.
func newOrigins(t *testing.T) *web {
	w := newWeb(t)
	w.serve(t, "api", httptest.NewTLSServer, "example.com:443")
	w.serve(t, "other", httptest.NewTLSServer, "example.com:8443", "sub.example.com:443", "127.0.0.1:443")
	w.serve(t, "plain", httptest.NewServer, "example.com:80", "127.0.0.1:80")
	return w
}

func (w *web) client(origins ...string) *http.Client {
	return &http.Client{Transport: &transport.Transport{
		Source:  fixed(&oauth2.Token{AccessToken: secret}, nil),
		Base:    w.base,
		Origins: origins,
	}}
}

func get(t *testing.T, c *http.Client, url string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

var redirects = []int{
	http.StatusMovedPermanently,
	http.StatusFound,
	http.StatusSeeOther,
	http.StatusTemporaryRedirect,
	http.StatusPermanentRedirect,
}

func TestFieldCase_golang_oauth2_805_ARedirectToAnotherOriginCarriesNoToken(t *testing.T) {
	for _, test := range []struct{ name, to string }{
		{"host", "https://127.0.0.1/end"},
		{"port", "https://example.com:8443/end"},
		{"subdomain", "https://sub.example.com/end"},
		{"scheme", "http://example.com/end"},
		{"host and scheme", "http://127.0.0.1/end"},
	} {
		for _, status := range redirects {
			t.Run(test.name+" "+strconv.Itoa(status), func(t *testing.T) {
				w := newOrigins(t)
				req := newRequest(t, http.MethodPost, redirect("https://example.com", status, test.to), strings.NewReader("order"))
				resp, err := w.client().Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				sent := w.sent(t)
				if len(sent) != 2 || sent[0] != "api+token" || sent[1] != "other" && sent[1] != "plain" {
					t.Errorf("sent %q", sent)
				}
				if status >= http.StatusTemporaryRedirect && w.visits[1].body != "order" {
					t.Errorf("the redirected request has the body %q", w.visits[1].body)
				}
			})
		}
	}
}

func TestARedirectWithinTheOriginCarriesTheToken(t *testing.T) {
	for _, to := range []string{"/end", "https://example.com:443/end", "https://EXAMPLE.com/end", "https://example.com:/end"} {
		for _, status := range redirects {
			t.Run(to+" "+strconv.Itoa(status), func(t *testing.T) {
				w := newOrigins(t)
				get(t, w.client(), redirect("https://example.com", status, to))
				if sent := w.sent(t); !slices.Equal(sent, []string{"api+token", "api+token"}) {
					t.Errorf("sent %q", sent)
				}
			})
		}
	}
}

func TestAChainThatLeftItsOriginGetsNoTokenOnItsWayBack(t *testing.T) {
	w := newOrigins(t)
	back := redirect("https://sub.example.com", http.StatusFound, "https://example.com/end")
	get(t, w.client(), redirect("https://example.com", http.StatusFound, back))
	if sent := w.sent(t); !slices.Equal(sent, []string{"api+token", "other", "api"}) {
		t.Errorf("sent %q", sent)
	}
	get(t, w.client(), "https://example.com/new")
	if sent := w.sent(t); sent[3] != "api+token" {
		t.Errorf("a new request after that chain: sent %q", sent[3:])
	}
}

func TestARedirectBetweenListedOriginsCarriesTheToken(t *testing.T) {
	w := newOrigins(t)
	c := w.client("https://example.com", "https://SUB.example.com:443")
	get(t, c, redirect("https://example.com", http.StatusFound, "https://sub.example.com/end"))
	if sent := w.sent(t); !slices.Equal(sent, []string{"api+token", "other+token"}) {
		t.Errorf("sent %q", sent)
	}
}

func TestAChainThatLeftTheListedOriginsGetsNoTokenOnItsWayBack(t *testing.T) {
	w := newOrigins(t)
	c := w.client("https://example.com", "https://sub.example.com")
	back := redirect("https://127.0.0.1", http.StatusFound, "https://sub.example.com/end")
	get(t, c, redirect("https://example.com", http.StatusFound, back))
	if sent := w.sent(t); !slices.Equal(sent, []string{"api+token", "other", "other"}) {
		t.Errorf("sent %q", sent)
	}
}

func TestARedirectCarriesNoAuthorizationOfTheCallerEither(t *testing.T) {
	w := newOrigins(t)
	// net/http itself would pass the header on to a subdomain.
	req := newRequest(t, http.MethodGet, redirect("https://example.com", http.StatusFound, "https://sub.example.com/end"), nil)
	req.Header.Set("Authorization", "Bearer of-the-caller")
	resp, err := w.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if sent := w.sent(t); !slices.Equal(sent, []string{"api+token", "other"}) {
		t.Errorf("sent %q", sent)
	}
}

// carried reports what a Transport sends with a request for to that is a
// redirect from from.
func carried(t *testing.T, from *http.Request, to string) []string {
	t.Helper()
	var sent []string
	rt := &transport.Transport{
		Source: fixed(&oauth2.Token{AccessToken: secret}, nil),
		Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			sent = req.Header.Values("Authorization")
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		}),
	}
	req := newRequest(t, http.MethodGet, to, nil)
	req.Response = &http.Response{StatusCode: http.StatusFound, Request: from}
	if _, err := rt.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	return sent
}

func TestThePortOfTheSchemeNeedNotBeWritten(t *testing.T) {
	for from, to := range map[string]string{
		"https://api.example.com/":     "https://api.example.com:443/",
		"https://api.example.com:443/": "https://api.example.com/",
		"http://127.0.0.1/":            "http://127.0.0.1:80/",
		"http://[::1]:80/":             "http://[::1]/",
	} {
		if sent := carried(t, newRequest(t, http.MethodGet, from, nil), to); sent == nil {
			t.Errorf("no token after a redirect from %s to %s", from, to)
		}
	}
	for from, to := range map[string]string{
		"https://api.example.com/": "https://api.example.com:80/",
		"http://127.0.0.1/":        "http://127.0.0.1:443/",
	} {
		if sent := carried(t, newRequest(t, http.MethodGet, from, nil), to); sent != nil {
			t.Errorf("sent %q after a redirect from %s to %s", sent, from, to)
		}
	}
}

func TestAHostThatOnlyFoldsToTheOriginIsAnotherHost(t *testing.T) {
	for _, to := range []string{
		"https://ap\u0130.example.com/", // LATIN CAPITAL LETTER I WITH DOT ABOVE
		"https://api.e\u212Aample.com/", // KELVIN SIGN
		"https://api.example.com./",
		"https://api.example.com\uFF0Eevil.test/", // FULLWIDTH FULL STOP
		"https://api.example.com:0443/",
		"https://API.example.com\xff/",
	} {
		t.Run(to, func(t *testing.T) {
			for _, from := range []string{"https://api.example.com/", "https://api.ekample.com/", "https://API.example.com\xfe/"} {
				if sent := carried(t, newRequest(t, http.MethodGet, from, nil), to); sent != nil {
					t.Errorf("sent %q after a redirect from %s", sent, from)
				}
			}
		})
	}
}

func TestARedirectFromNobodyKnowsWhereCarriesNoToken(t *testing.T) {
	if sent := carried(t, nil, "https://api.example.com/"); sent != nil {
		t.Errorf("without the request that was redirected: sent %q", sent)
	}
	if sent := carried(t, new(http.Request), "https://api.example.com/"); sent != nil {
		t.Errorf("without its URL: sent %q", sent)
	}
}

func TestARedirectOverPlainHTTPCarriesNoToken(t *testing.T) {
	// Somebody else sent the first request: this Transport would have refused.
	from := newRequest(t, http.MethodGet, "http://api.example.com/", nil)
	if sent := carried(t, from, "http://api.example.com/end"); sent != nil {
		t.Errorf("sent %q", sent)
	}
}

func TestARequestThatMayNotHaveTheTokenIsRefused(t *testing.T) {
	for _, test := range []struct {
		url     string
		origins []string
		want    string
	}{
		{"http://api.example.com/v1?key=k", nil, "transport: a token goes over https, or over http to a loopback address: the request to http://api.example.com was not sent"},
		{"http://localhost.example.com/", nil, "loopback"},
		{"http://127.0.0.1.example.com/", nil, "loopback"},
		{"http://10.0.0.1/", nil, "loopback"},
		{"http://0.0.0.0/", nil, "loopback"},
		{"ftp://api.example.com/", nil, "over https"},
		{"https://u:p4ss@evil.example.com:8443/v1?key=k", []string{"https://api.example.com"}, "transport: https://evil.example.com:8443 is not in Origins, so the request was not sent"},
		{"https://api.example.com:8443/", []string{"https://api.example.com"}, "not in Origins"},
		{"https://sub.api.example.com/", []string{"https://api.example.com"}, "not in Origins"},
		{"http://127.0.0.1:8081/", []string{"http://127.0.0.1:8080"}, "not in Origins"},
		{"http://api.example.com/", []string{"https://api.example.com"}, "over https"},
	} {
		t.Run(test.url, func(t *testing.T) {
			rt := &transport.Transport{
				Source:  fixed(&oauth2.Token{AccessToken: secret}, nil),
				Base:    unreachable(t),
				Origins: test.origins,
			}
			wantError(t, rt, newRequest(t, http.MethodPost, test.url, nil), test.want)
		})
	}
}

func TestLoopbackIsReachedOverPlainHTTP(t *testing.T) {
	for _, host := range []string{"localhost", "LocalHost:8080", "127.0.0.1", "127.1.2.3:80", "[::1]:8080", "[::ffff:127.0.0.1]"} {
		t.Run(host, func(t *testing.T) {
			for _, origins := range [][]string{nil, {"http://" + host}} {
				var sent http.Header
				rt := &transport.Transport{
					Source: fixed(&oauth2.Token{AccessToken: secret}, nil),
					Base: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
						sent = req.Header
						return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
					}),
					Origins: origins,
				}
				if _, err := rt.RoundTrip(newRequest(t, http.MethodGet, "http://"+host+"/", nil)); err != nil {
					t.Fatal(err)
				}
				if got := sent.Get("Authorization"); got != "Bearer "+secret {
					t.Errorf("Origins %q: sent %q", origins, got)
				}
			}
		})
	}
}

func TestAnEntryThatIsNoOriginIsNamed(t *testing.T) {
	for _, test := range []struct {
		entry string
		want  string
	}{
		{"api.example.com", `transport: Origins[1] "api.example.com": not an origin such as`},
		{"//api.example.com", "not an origin"},
		{"https:api.example.com", "not an origin"},
		{"https://", "not an origin"},
		{"https://:443", "not an origin"},
		{"https://*.example.com", "not an origin"},
		{"https://api.example.com:https", "not an origin"},
		{"", `Origins[1] ""`},
		{"https://api.example.com/", `write "https://api.example.com"`},
		{"https://api.example.com:8443/v1", `write "https://api.example.com:8443"`},
		{"https://api.example.com?a=b", "write"},
		{"https://api.example.com?", "write"},
		{"https://api.example.com#a", "write"},
		{"https://user:p4ss@api.example.com", `Origins[1] "...@api.example.com": an origin is a scheme and a host`},
		{"https://user:p4ss@api.example.com:p", `Origins[1] "...@api.example.com:p": not an origin`},
		{"http://api.example.com", "over https"},
		{"ftp://api.example.com", "over https"},
	} {
		t.Run(test.entry, func(t *testing.T) {
			rt := &transport.Transport{
				Source:  fixed(&oauth2.Token{AccessToken: secret}, nil),
				Base:    unreachable(t),
				Origins: []string{"https://www.example.com", test.entry},
			}
			for range 2 {
				wantError(t, rt, newRequest(t, http.MethodGet, "https://www.example.com/", nil), test.want)
			}
		})
	}
}

func TestAnEmptyListOfOriginsAllowsNothing(t *testing.T) {
	rt := &transport.Transport{
		Source:  fixed(&oauth2.Token{AccessToken: secret}, nil),
		Base:    unreachable(t),
		Origins: []string{},
	}
	wantError(t, rt, newRequest(t, http.MethodGet, "https://api.example.com/", nil), "leave Origins nil")
}
