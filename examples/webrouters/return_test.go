package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// hostile are return paths that lead a browser to another site, or might.
var hostile = []string{
	"", "reports", "?x", "#x", ".", "..//evil.example",
	"https://evil.example", "HTTPS://evil.example/", "http:evil.example", "https:evil.example", "https:/evil.example", "https:///evil.example", "//evil.example", "///evil.example", "////evil.example/%2f..",
	`/\evil.example`, `\/evil.example`, `\\evil.example`, `/\/evil.example`, `/x\..\..\evil.example`, `https:\\evil.example`,
	"//evil.example@site.example", "//user@evil.example", "https://site.example@evil.example", "//evil.example:443/", "//[::1]/",
	"/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example", "/\x00/evil.example", "/x\r\nLocation: https://evil.example", "/\x7f",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "mailto:x@evil.example", "%2F%2Fevil.example", "%5C%5Cevil.example", "/%zz",
}

// All the way through a login, to where the browser is in the end.
func TestNoReturnPathMakesALoginAnOpenRedirect(t *testing.T) {
	withEach(t, func(w *world) {
		browser := w.as.UserAgent("alice")
		var left []string
		follow := browser.CheckRedirect
		browser.CheckRedirect = func(r *http.Request, via []*http.Request) error {
			if at := r.URL.Scheme + "://" + r.URL.Host; at != w.site.URL && !strings.HasPrefix(r.URL.String(), w.as.Issuer()) {
				left = append(left, r.URL.String())
				return http.ErrUseLastResponse
			}
			if follow != nil {
				return follow(r, via)
			}
			return nil
		}
		for _, bad := range hostile {
			if p := w.post(browser, "/login", url.Values{"return": {bad}}); p.url.String() != w.site.URL+"/" {
				w.Errorf("with the return path %q a login ends at %v", bad, p.url)
			}
		}
		if left != nil {
			w.Errorf("the browser was sent to %q", left)
		}
	})
}
