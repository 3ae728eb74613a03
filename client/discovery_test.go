package client_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/memhttp"
)

// discovering returns a client that has done nothing yet.
func discovering(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// wantNoDiscovery checks that discovery failed, and what its error says.
func wantNoDiscovery(t *testing.T, err error, temporary bool, words ...string) {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Op != "discover" {
		t.Fatalf("got %v, want a *client.Error of discover", err)
	}
	if e.Temporary != temporary {
		t.Errorf("Temporary %v, want %v, in %v", e.Temporary, temporary, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
}

func TestDiscoveryIsSharedAndKept(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		as.FailNext(clienttest.DiscoveryPath, clienttest.Fault{Delay: time.Second}, 1)
		c := discovering(t, as.Config())
		var callers sync.WaitGroup
		for i := range 20 {
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if i%2 == 1 { // does not wait for the slow server, and does not end it for the others
				ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
			}
			callers.Go(func() {
				defer cancel()
				begun := time.Now()
				err := c.Discover(ctx)
				switch {
				case i%2 == 0 && err != nil, i%2 == 1 && !errors.Is(err, context.DeadlineExceeded), i%2 == 1 && time.Since(begun) >= time.Second:
					t.Errorf("caller %d got %v after %v", i, err, time.Since(begun))
				case err != nil:
					wantNoDiscovery(t, err, false, "in time")
				}
			})
		}
		callers.Wait()
		if err := c.Discover(t.Context()); err != nil {
			t.Error(err)
		}
		if n := as.Requests(clienttest.DiscoveryPath); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

func TestAFailedDiscoveryIsTriedAgain(t *testing.T) {
	for retryAfter, want := range map[string]time.Duration{
		"7": 7 * time.Second, "Sat, 01 Jan 2000 00:00:09 GMT": 9 * time.Second, "99999999999999999999": time.Hour, "soon": 0,
	} {
		inBubble(t, func(t *testing.T, as *clienttest.Server) {
			as.FailNext(clienttest.DiscoveryPath, clienttest.Fault{Status: 503, Header: http.Header{"Retry-After": {retryAfter}}}, 1)
			c := discovering(t, as.Config())
			err := c.Discover(t.Context())
			wantNoDiscovery(t, err, true, "503")
			if e, _ := errors.AsType[*client.Error](err); e.RetryAfter != want {
				t.Errorf("after %q RetryAfter is %v, want %v", retryAfter, e.RetryAfter, want)
			}
			if err := c.Discover(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// RFC 8414 section 3.3, OpenID Connect Discovery section 4.3.
func TestMetadataOfAnotherIssuerAreNotUsed(t *testing.T) {
	for name, issuer := range map[string]any{
		"slash": "https://as.example/", "case": "https://AS.example", "port": "https://as.example:443", "http": "http://as.example",
		"homograph": "https://аs.example", "percent": "https://as%2eexample", "user": "https://x@as.example", "tenant": "https://as.example/b",
		"another": "https://evil.example", "empty": "", "missing": nil, "number": 7, "list": []string{"https://as.example"},
		"terminal": "https://evil.example/\x1b]0;owned\x07", "template": "https://{tenantid}",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				tamper(as, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) {
					if m["issuer"] = issuer; issuer == nil {
						delete(m, "issuer")
					}
				})
				c := discovering(t, as.Config())
				for range 2 { // the second would find what the first has kept
					err := c.Account("alice").Login(t.Context(), client.Device{Show: ignored})
					wantNoDiscovery(t, err, false, "metadata")
					if strings.Contains(err.Error(), "\x1b") {
						t.Errorf("the error is not fit for a terminal: %q", err)
					}
				}
				if all, n := len(as.Exchanges()), as.Requests(clienttest.DiscoveryPath); all != n {
					t.Errorf("%d requests, of which %d for metadata: something of the document was used", all, n)
				}
			})
		})
	}
}

// What the document names gets codes, secrets and users. go-oidc takes any URL.
func TestMetadataWithAnUnsafeEndpointAreNotUsed(t *testing.T) {
	for name, endpoint := range map[string]string{
		"http": "http://as.example/x", "metadata service": "http://169.254.169.254/latest", "file": "file:///etc/passwd",
		"javascript": "javascript:alert(1)", "gopher": "gopher://as.example/", "relative": "/token", "no scheme": "as.example/token",
		"user": "https://user:password@as.example/token", "fragment": "https://as.example/token#x", "no host": "https:///token",
		"header": "https://as.example/\r\nX-Evil: 1", "endless": "https://as.example/" + strings.Repeat("x", 300<<10),
	} {
		for _, member := range []string{
			"authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "revocation_endpoint", "end_session_endpoint", "jwks_uri",
		} {
			t.Run(name+" "+member, func(t *testing.T) {
				inBubble(t, func(t *testing.T, as *clienttest.Server) {
					tamper(as, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) { m[member] = endpoint })
					err := discovering(t, as.Config()).Discover(t.Context())
					wantNoDiscovery(t, err, false, member)
					if strings.Contains(err.Error(), "password") || len(err.Error()) > 1000 {
						t.Errorf("the error repeats the endpoint: %.300v", err)
					}
				})
			})
		}
	}
}

func TestMetadataWithoutATokenEndpointAreNotUsed(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		tamper(as, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) { delete(m, "token_endpoint") })
		wantNoDiscovery(t, discovering(t, as.Config()).Discover(t.Context()), false, "token_endpoint", "Config.Endpoint")
	})
}

func TestDiscoveryDoesNotFollowARedirectElsewhere(t *testing.T) {
	as, evil := clienttest.NewServer(t), clienttest.NewServer(t)
	issuer, err := url.Parse(as.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	for name, location := range map[string]string{
		"another server": evil.URL(clienttest.DiscoveryPath),
		"another name":   "http://localhost:" + issuer.Port() + clienttest.DiscoveryPath,
		"another scheme": "https://" + issuer.Host + clienttest.DiscoveryPath,
		"a file":         "file:///etc/passwd",
	} {
		t.Run(name, func(t *testing.T) {
			as.FailNext(clienttest.DiscoveryPath, clienttest.Fault{Status: 302, Header: http.Header{"Location": {location}}}, 1)
			wantNoDiscovery(t, discovering(t, as.Config()).Discover(t.Context()), false, "redirects elsewhere")
			if n := len(evil.Exchanges()); n != 0 {
				t.Errorf("the other server got %d requests", n)
			}
		})
	}
	t.Run("without an end", func(t *testing.T) {
		as.FailNext(clienttest.DiscoveryPath, clienttest.Fault{Status: 302, Header: http.Header{"Location": {clienttest.DiscoveryPath}}}, -1)
		wantNoDiscovery(t, discovering(t, as.Config()).Discover(t.Context()), false, "redirects elsewhere")
		as.FailNext(clienttest.DiscoveryPath, clienttest.Fault{}, 0)
	})
	t.Run("within the server", func(t *testing.T) {
		as.FailNext(clienttest.DiscoveryPath, clienttest.Fault{Status: 302, Header: http.Header{"Location": {clienttest.DiscoveryPath}}}, 1)
		if err := discovering(t, as.Config()).Discover(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// hostile serves the metadata of cfg's issuer by h, in memory.
func hostile(t *testing.T, h http.HandlerFunc) client.Config {
	t.Helper()
	cfg := clienttest.NewMemoryServer(t).Config()
	l := memhttp.Listen()
	transport := l.Transport()
	stop := memhttp.Serve(l, h)
	t.Cleanup(func() { transport.CloseIdleConnections(); stop() })
	cfg.HTTPClient = &http.Client{Transport: transport}
	return cfg
}

func TestDiscoveryIsBoundedInLengthAndTime(t *testing.T) {
	answer := func(w http.ResponseWriter, body func(io.Writer) error) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"issuer":"https://as.example","x":"`)
		_ = body(w)
	}
	endless := func(w io.Writer) error {
		chunk := []byte(strings.Repeat("x", 64<<10))
		for {
			if _, err := w.Write(chunk); err != nil {
				return err
			}
		}
	}
	for name, c := range map[string]struct {
		serve     http.HandlerFunc
		temporary bool
		words     string
	}{
		"endless": {func(w http.ResponseWriter, _ *http.Request) { answer(w, endless) }, false, "longer than"},
		"a bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			_ = endless(gzip.NewWriter(w))
		}, false, "longer than"},
		"a byte a second": {func(w http.ResponseWriter, r *http.Request) {
			answer(w, func(w io.Writer) error {
				for r.Context().Err() == nil {
					time.Sleep(time.Second)
					if _, err := w.Write([]byte("x")); err != nil {
						return err
					}
					_ = http.NewResponseController(w.(http.ResponseWriter)).Flush()
				}
				return nil
			})
		}, true, "in time"},
		"no end of the body": {func(w http.ResponseWriter, r *http.Request) {
			answer(w, func(w io.Writer) error {
				_ = http.NewResponseController(w.(http.ResponseWriter)).Flush()
				<-r.Context().Done()
				return nil
			})
		}, true, "in time"},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true, "in time"},
		"deep nesting": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.Repeat("[", 500<<10))
		}, false, "no use"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				wantNoDiscovery(t, discovering(t, hostile(t, c.serve)).Discover(t.Context()), c.temporary, c.words)
				if took := time.Since(begun); took > 15*time.Second {
					t.Errorf("Discover took %v", took)
				}
			})
		})
	}
}

func TestAPageInPlaceOfMetadataIsNotRepeated(t *testing.T) {
	const page = "<html>internal-host-name \x1b[2J</html>"
	for status, c := range map[int]struct {
		temporary bool
		words     string
	}{
		200: {false, "metadata"}, 203: {false, "status 203"}, 300: {false, "status 300"}, 302: {false, "status 302"}, 401: {false, "status 401"}, 404: {false, "Config.Endpoint"}, 429: {true, "status 429"}, 502: {true, "status 502"},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.FailNext(clienttest.DiscoveryPath, clienttest.Fault{Status: status, Body: page}, -1)
				err := discovering(t, as.Config()).Discover(t.Context())
				wantNoDiscovery(t, err, c.temporary, c.words)
				if strings.Contains(err.Error(), "internal-host-name") || strings.Contains(err.Error(), "\x1b") {
					t.Errorf("the error quotes the page: %q", err)
				}
			})
		})
	}
}

func TestAServerThatIsNotReachedIsATemporaryError(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		cfg := as.Config()
		unplugged := errors.New("no route to host")
		cfg.HTTPClient = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, unplugged })}
		err := discovering(t, cfg).Discover(t.Context())
		wantNoDiscovery(t, err, true, "no route to host")
		if !errors.Is(err, unplugged) {
			t.Errorf("the cause is lost in %v", err)
		}
	})
}

// Microsoft Entra ID serves one document for all tenants of "organizations"; who
// has logged in, and where, only the ID token tells.
func TestOneDocumentForManyTenantsIsBoundToTheTenantOfTheIDToken(t *testing.T) {
	for name, c := range map[string]struct {
		issuer, tenant, words string
	}{
		"the same tenant":  {"https://as.example/t1/v2.0", "t1", ""},
		"another tenant":   {"https://as.example/t1/v2.0", "t2", "another issuer"},
		"no tenant":        {"https://as.example//v2.0", "", "no tenant"},
		"another server":   {"https://evil.example/t1/v2.0", "t1", "another issuer"},
		"the template":     {"https://as.example/{tenantid}/v2.0", "t1", "another issuer"},
		"a path as tenant": {"https://as.example/t1/v2.0/../../x/v2.0", "t1", "another issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				as, err := clienttest.Start(clienttest.Options{
					InMemory: true, Issuer: "https://as.example/organizations/v2.0",
					Tamper: func(x clienttest.Exchange, answer map[string]any) {
						if x.Path == clienttest.DiscoveryPath {
							answer["issuer"] = "https://as.example/{tenantid}/v2.0"
						}
					},
					Claims: func(_ clienttest.Exchange, claims map[string]any) { claims["iss"], claims["tid"] = c.issuer, c.tenant },
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(as.Close)
				me := accountOf(t, as.Config())
				err = me.Login(t.Context(), approving(as))
				if c.words == "" {
					wantSignedIn(t, as, me, err)
				} else {
					wantNoLogin(t, me, err, "", c.words)
				}
			})
		})
	}
}
