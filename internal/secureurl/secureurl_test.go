package secureurl_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/canary"
	"github.com/regrant/regrant/internal/secureurl"
)

func TestACredentialGoesOverHTTPSOrToThisMachine(t *testing.T) {
	for raw, want := range map[string]string{ // "": it may
		"https://as.example.com":                   "",
		"https://as.example.com/":                  "",
		"https://as.example.com:8443/t?tenant=1":   "",
		"HTTPS://AS.example.com":                   "",
		"https://192.0.2.7/token":                  "",
		"https://[2001:db8::7]/token":              "",
		"http://127.0.0.1:8080":                    "",
		"http://127.8.9.10":                        "",
		"http://[::1]:8080":                        "",
		"http://[::ffff:127.0.0.1]":                "",
		"http://localhost:4444/":                   "",
		"http://LocalHost/":                        "",
		"https://as.example.com/" + "a/../b%2f%3f": "",

		"http://as.example.com":             "plain http",
		"http://10.0.0.1":                   "plain http",
		"http://0.0.0.0":                    "plain http",
		"http://[::]":                       "plain http",
		"http://169.254.169.254/t":          "plain http",
		"http://[::ffff:169.254.169.254]/t": "plain http",
		"http://localhost.example.com":      "plain http",
		"http://localhost.":                 "plain http",
		"http://sub.localhost":              "plain http",
		"http://127.0.0.1.example.com":      "plain http",
		"http://127.1":                      "plain http",
		"http://2130706433":                 "plain http",
		"http://0x7f000001":                 "plain http",
		"http://0177.0.0.1":                 "plain http",
		"http://127.0.0.256":                "plain http",
		"http://[::1%25lo]":                 "plain http",
		"http://localho\u017ft":             "plain http",
		"http://loc%61lhost":                "not a URL",

		"https://user@as.example.com":          "user information",
		"https://user:pw@as.example.com":       "user information",
		"https://@as.example.com":              "user information",
		"http://localhost:80@evil.example.com": "user information",
		"https://as.example.com/#":             "fragment",
		"https://as.example.com/#access_token": "fragment",

		"":                              "not an absolute URL",
		"/token":                        "not an absolute URL",
		"//as.example.com/token":        "neither https nor http",
		"as.example.com/token":          "not an absolute URL",
		"https:":                        "not an absolute URL",
		"https:as.example.com":          "not an absolute URL",
		"https:///token":                "not an absolute URL",
		"https://:443/token":            "not an absolute URL",
		"file:///etc/passwd":            "not an absolute URL",
		"javascript:alert(1)":           "not an absolute URL",
		"gopher://as.example.com":       "neither https nor http",
		"ftp://127.0.0.1":               "neither https nor http",
		"ws://localhost":                "neither https nor http",
		"https://as.example.com\r\n":    "not a URL",
		"https://as.example.com/\n":     "not a URL",
		" https://as.example.com":       "not a URL",
		"https://as example.com":        "not a URL",
		"https://[::1":                  "not a URL",
		"https://as.example.com:x":      "not a URL",
		"https://evil\\@as.example.com": "not a URL",
		"https://as.example.com/" + strings.Repeat("a", 300<<10): "longer than 2048",
	} {
		u, err := secureurl.Parse(raw)
		switch {
		case want == "" && err != nil:
			t.Errorf("%.80q is refused: it %v", raw, err)
		case want == "" && u == nil:
			t.Errorf("%.80q is no URL", raw)
		case want != "" && (err == nil || u != nil):
			t.Errorf("%.80q is accepted, want %q", raw, want)
		case want != "" && !strings.Contains(err.Error(), want):
			t.Errorf("%.80q is refused: it %v; want %q", raw, err, want)
		}
	}
}

// FuzzParse: what is accepted is https, or http to a loopback host, without user
// information and fragment, also when it is printed and parsed again; and no
// error repeats any of the input.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"https://as.example.com/t?a=b", "http://localhost:1", "http://[::1%25lo]:80/", "https://a@b", "//x", "http://127.1", "https://x/#", "https:\\\\x"} {
		f.Add(s, uint(3))
	}
	f.Fuzz(func(t *testing.T, raw string, at uint) {
		if _, err := secureurl.Parse(canary.Plant(raw, at)); err != nil && canary.Shown(err) != "" {
			t.Errorf("the error repeats its input: %v", err)
		}
		u, err := secureurl.Parse(raw)
		if err != nil {
			return
		}
		check := func(u *url.URL) {
			if u.Scheme != "https" && (u.Scheme != "http" || !secureurl.IsLoopback(u.Hostname())) {
				t.Errorf("%q: scheme %q, host %q", raw, u.Scheme, u.Host)
			}
			if u.User != nil || u.Fragment != "" || u.Opaque != "" || u.Hostname() == "" {
				t.Errorf("%q is accepted as %#v", raw, u)
			}
		}
		check(u)
		if strings.Contains(u.Hostname(), "%") {
			return // a zone of IPv6 (RFC 6874): what is printed need not parse
		}
		again, err := url.Parse(u.String())
		if err != nil {
			t.Fatalf("%q is accepted and does not parse again: %v", raw, err)
		}
		check(again)
		if again.Host != u.Host {
			t.Errorf("%q leads to %q, and printed to %q", raw, u.Host, again.Host)
		}
	})
}
