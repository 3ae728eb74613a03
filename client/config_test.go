package client_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

func testSealer(t *testing.T) tokenstore.Sealer {
	t.Helper()
	s, err := tokenstore.NewSealer([]byte("sealer-key-secret-0123456789abcd"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func usable(t *testing.T) client.Config {
	t.Helper()
	return client.Config{Issuer: "https://as.example.com", ClientID: "cli", Store: memstore.New(), Sealer: testSealer(t)}
}

func TestAnEmptyConfigIsOneErrorThatNamesWhatIsMissing(t *testing.T) {
	c, err := client.New(client.Config{})
	if c != nil || err == nil {
		t.Fatalf("got %v, %v; want an error", c, err)
	}
	for _, want := range []string{"Config.Issuer", "Config.ClientID", "Config.Store", "choose where grants are kept"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != 3 {
		t.Errorf("the error names %d problems, want 3:\n%v", n, err)
	}
}

func TestAConfigIsUsableOrSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*client.Config)
		want   string // "": it is usable
	}{
		{"as it is", func(*client.Config) {}, ""},
		{"an issuer over http", func(c *client.Config) { c.Issuer = "http://as.example.com" }, "Config.Issuer is plain http"},
		{"an issuer on loopback", func(c *client.Config) { c.Issuer = "http://127.0.0.1:8080/as" }, ""},
		{"an issuer on localhost", func(c *client.Config) { c.Issuer = "http://localhost:8080" }, ""},
		{"an issuer that is a host", func(c *client.Config) { c.Issuer = "as.example.com" }, "Config.Issuer is not an absolute URL"},
		{"an issuer with a query", func(c *client.Config) { c.Issuer = "https://as.example.com/?a=b" }, "Config.Issuer has a query"},
		{"an issuer with a fragment", func(c *client.Config) { c.Issuer = "https://as.example.com/#a" }, "Config.Issuer has a fragment"},
		{"a client identifier that breaks a line", func(c *client.Config) { c.ClientID = "cli\r\nX: y" }, "Config.ClientID"},
		{"a client identifier that is not UTF-8", func(c *client.Config) { c.ClientID = "\xff" }, "Config.ClientID"},
		{"a client identifier with a colon", func(c *client.Config) { c.ClientID = "a:b é" }, ""},
		{"no sealer", func(c *client.Config) { c.Sealer = nil }, "Config.Sealer is nil, and *memstore.Store keeps what it is given in clear"},
		{"no sealer for a store that needs none", func(c *client.Config) { c.Store, c.Sealer = &desk{}, nil }, ""},
		{"an empty secret", func(c *client.Config) { c.Auth = client.Secret("") }, "the client secret is empty; is the variable it comes from set?"},
		{"a secret", func(c *client.Config) { c.Auth = client.Secret("s") }, ""},
		{"no function for a secret", func(c *client.Config) { c.Auth = client.SecretFunc(nil) }, "SecretFunc was given no function"},
		{"scopes", func(c *client.Config) { c.Scopes = []string{"openid", "https://api.example.com/read"} }, ""},
		{"no scopes", func(c *client.Config) { c.Scopes = []string{} }, ""},
		{"all scopes in one", func(c *client.Config) { c.Scopes = []string{"openid profile"} }, `"openid profile" is not a scope`},
		{"an empty scope", func(c *client.Config) { c.Scopes = []string{"openid", ""} }, `"" is not a scope`},
		{"parameters", func(c *client.Config) {
			c.Params = url.Values{"access_type": {"offline"}, "resource": {"https://a.example.com", "https://b.example.com"}}
		}, ""},
		{"a parameter of the flow", func(c *client.Config) { c.Params = url.Values{"state": {"x"}} }, `"state" is set by the flow`},
		{"two parameters of the flow", func(c *client.Config) { c.Params = url.Values{"scope": {"x"}, "nonce": {"x"}} }, `"nonce" is set by the flow itself; "scope" is`},
		{"a secret in a URL", func(c *client.Config) { c.Params = url.Values{"client_secret": {"x"}} }, `"client_secret" is set by`},
		{"a parameter twice", func(c *client.Config) { c.Params = url.Values{"audience": {"a", "b"}} }, `"audience" is given more than once`},
		{"a redirect", func(c *client.Config) { c.RedirectURL = "https://app.example.com/cb?a=b" }, ""},
		{"a redirect to a program", func(c *client.Config) { c.RedirectURL = "com.example.app:/cb" }, ""},
		{"a redirect with a fragment", func(c *client.Config) { c.RedirectURL = "https://app.example.com/cb#x" }, "Config.RedirectURL"},
		{"a redirect with an empty fragment", func(c *client.Config) { c.RedirectURL = "https://app.example.com/cb#" }, "Config.RedirectURL"},
		{"a redirect that is a path", func(c *client.Config) { c.RedirectURL = "/cb" }, "Config.RedirectURL"},
		{"endpoints", func(c *client.Config) {
			c.Endpoint = oauth2.Endpoint{AuthURL: "https://as.example.com/a", TokenURL: "https://as.example.com/t?tenant=1"}
			c.RevocationURL = "http://localhost:8080/r"
		}, ""},
		{"an authorization endpoint alone", func(c *client.Config) { c.Endpoint.AuthURL = "https://as.example.com/a" }, "Config.Endpoint has no TokenURL"},
		{"a token endpoint over http", func(c *client.Config) { c.Endpoint.TokenURL = "http://169.254.169.254/t" }, "Config.Endpoint.TokenURL is plain http"},
		{"a device endpoint that is a file", func(c *client.Config) {
			c.Endpoint = oauth2.Endpoint{TokenURL: "https://as.example.com/t", DeviceAuthURL: "file:///etc/passwd"}
		}, "Config.Endpoint.DeviceAuthURL"},
		{"a revocation endpoint over http", func(c *client.Config) {
			c.Endpoint.TokenURL, c.RevocationURL = "https://as.example.com/t", "http://as.example.com/r"
		}, "Config.RevocationURL is plain http"},
		{"a revocation endpoint alone", func(c *client.Config) { c.RevocationURL = "https://as.example.com/r" }, "Config.RevocationURL is set without Endpoint"},
		{"a token renewed after its end", func(c *client.Config) { c.EarlyRefresh = -time.Second }, "Config.EarlyRefresh is negative"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := usable(t)
			c.change(&cfg)
			got, err := client.New(cfg)
			switch {
			case c.want == "" && (err != nil || got == nil):
				t.Errorf("it is refused: %v", err)
			case c.want != "" && (err == nil || got != nil):
				t.Errorf("it is accepted, want %q", c.want)
			case c.want != "" && !strings.Contains(err.Error(), c.want):
				t.Errorf("error is %v, want %q", err, c.want)
			case c.want != "" && !strings.HasPrefix(err.Error(), "client: Config."):
				t.Errorf("error is %v, want the name of the field first", err)
			}
			if got != nil {
				if err := got.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := client.New(client.Config{
		Issuer: "http://as.example.com", ClientID: "\n", Auth: client.Secret(""), Store: memstore.New(), Scopes: []string{"a b"},
		Params: url.Values{"state": {"x"}}, RedirectURL: "x", RevocationURL: "ftp://x", EarlyRefresh: -1,
	})
	for _, field := range []string{"Issuer", "ClientID", "Auth", "Sealer", "Scopes", "Params", "RedirectURL", "RevocationURL", "EarlyRefresh"} {
		if err == nil || !strings.Contains(err.Error(), "client: Config."+field) {
			t.Errorf("the error does not name %s:\n%v", field, err)
		}
	}
}

func TestAWrongConfigIsNotRepeatedWhereItMayHoldAPassword(t *testing.T) {
	const password = "hunter2-password"
	_, err := client.New(client.Config{
		Issuer: "https://user:" + password + "@as.example.com", RedirectURL: "https://app.example.com/#" + password,
		Endpoint:      oauth2.Endpoint{AuthURL: "https://" + password + "@as.example.com", TokenURL: "http://as.example.com/?" + password},
		RevocationURL: "\n" + password, Params: url.Values{"client_secret": {password}, "audience": {password, password}},
	})
	if err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("error is %v", err)
	}
}
