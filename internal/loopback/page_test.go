package loopback_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/loopback"
)

func TestEveryAnswerKeepsTheCodeToItself(t *testing.T) {
	l := begin(t, "")
	answers := map[string]answer{
		"a foreign callback": l.ask(t, "GET", l.RedirectURI()+"?state=another", nil),
		"another path":       l.ask(t, "GET", l.RedirectURI()+"/../x", nil),
		"another host":       l.ask(t, "GET", l.RedirectURI(), func(r *http.Request) { r.Host = "evil.example" }),
		"another method":     l.ask(t, "POST", l.callback(""), nil),
		"the callback":       l.ask(t, "GET", l.callback(""), nil),
	}
	got := l.visit(t, l.RedirectURI()+"/result")
	<-l.waited
	l.Close(loopback.SignedIn)
	answers["the result"] = <-got
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			if a.err != nil {
				t.Fatal(a.err)
			}
			for header, want := range map[string]string{
				"Cache-Control":          "no-store",
				"Referrer-Policy":        "no-referrer",
				"X-Content-Type-Options": "nosniff",
				"Set-Cookie":             "",
				"Server":                 "",
			} {
				if got := a.header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			policy := a.header.Get("Content-Security-Policy")
			for _, directive := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
				if !strings.Contains(policy, directive) {
					t.Errorf("the policy %q lacks %q", policy, directive)
				}
			}
			if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script") {
				t.Errorf("the policy is %q", policy)
			}
			if strings.Contains(a.body, "the-code") || strings.Contains(a.body, state) {
				t.Errorf("the page repeats the request: %q", a.body)
			}
		})
	}
}

func TestThePageIsWholeInItself(t *testing.T) {
	l := begin(t, "")
	a := l.ask(t, "GET", l.RedirectURI(), nil)
	if got := a.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type is %q", got)
	}
	for _, want := range []string{"<!DOCTYPE html>", `<html lang="en">`, "<title>", "<main", `role="status"`, "<h1>", `name="viewport"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, unwanted := range []string{"<script", "http:", "https:", "src=", "url(", "@import", "onload", "style="} {
		if strings.Contains(a.body, unwanted) {
			t.Errorf("the page holds %q", unwanted)
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(a.body)
	if len(style) != 2 {
		t.Fatal("the page has no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	if hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(a.header.Get("Content-Security-Policy"), hash) {
		t.Errorf("the policy does not allow the style: %q", a.header.Get("Content-Security-Policy"))
	}
}
