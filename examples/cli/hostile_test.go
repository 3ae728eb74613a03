//go:build unix

package main

import (
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/terminal"
)

// attack is what a server would like a terminal to obey: its title, its clipboard, a
// cleared screen, a question whose answer is typed, C1 controls, and text that is not
// what it seems to be.
const attack = "\x1b]0;owned\x07\x1b]52;c;cm0gLXJmIC8=\x1b\\\x1b[2J\x1b[6n\x1bP$q\"p\x1b\\\u009b31m\u009d0;owned\u009c\r\x08\u202eevil\u2066\u200b\u200f\x7f"

// own are the control sequences that the program itself writes: colours, and what
// lines that change and screens of their own need.
var own = regexp.MustCompile(`\x1b\[[0-9;]*m|\x1b\[\d*A|\x1b\[0?[JK]|\x1b\[H|\x1b\[\?(25|1049|2026)[hl]`)

// escaped is how a call shows what it does not let through.
var escaped = regexp.MustCompile(`\\u00(9b31m|1b\]0;owned|9d0;owned)`)

// obeyed is what is in text beside lines, tabs and the program's own sequences that a
// terminal would do something about.
func obeyed(text string) string {
	var b strings.Builder
	for _, r := range own.ReplaceAllString(text, "") {
		if r != '\r' && r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unharmed runs the program in a terminal, and makes sure that nothing gets through.
func (h *home) unharmed(what string, args ...string) *terminal.Terminal {
	h.t.Helper()
	x := h.open(80, 24, args...)
	x.Wait()
	if bad := obeyed(x.Written()); bad != "" {
		h.t.Errorf("%s: the terminal gets %q in %q", what, bad, x.Written())
	}
	if shown := escaped.ReplaceAllString(x.Text(), ""); strings.Contains(shown, "owned") || strings.Contains(shown, "31m") {
		h.t.Errorf("%s: part of the attack is shown as if it were text:\n%s", what, x.Text())
	}
	return x
}

func TestNothingThatAnAPISaysIsObeyedByTheTerminal(t *testing.T) {
	for _, kind := range []string{"text/plain", "application/json", "text/html"} {
		s, h := serveAPI(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("X-Attack", "\u009b31m\u202e")
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+"\u009b31mwrite\u202e\u009d0;owned\u009c"+`"`)
			w.WriteHeader(http.StatusForbidden)
			if kind == "application/json" {
				_, _ = io.WriteString(w, `{"a": "`+"\u009b31m\u202eevil"+`"} `)
			}
			_, _ = io.WriteString(w, attack)
		})
		x := h.unharmed(kind, "call", "-i", "--fail", s.URL(clienttest.APIPath))
		contains(t, x.Text(), `\u001b]0;owned\u0007`)
	}
	s, h := serveAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "\x00\x01binary"+attack) })
	x := h.unharmed("binary", "call", s.URL(clienttest.APIPath))
	contains(t, x.Text(), "the answer is binary", "-o FILE")
}

func TestNothingThatAnAuthorizationServerSaysIsObeyedByTheTerminal(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) {
		o.DeviceInterval = time.Second
		o.Claims = func(_ clienttest.Exchange, claims map[string]any) { claims["email"] = "alice" + attack }
	})
	login := []string{"login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file"}
	x := h.unharmed("the name of the user", login...)
	contains(t, x.Text(), "Logged in as alice")

	tamper := func(path string, members map[string]any) {
		s.Set(func(o *clienttest.Options) {
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				if x.Path == path {
					maps.Copy(answer, members)
				}
			}
		})
	}
	tamper(clienttest.AuthorizePath, map[string]any{"error": "access_denied", "error_description": attack, "code": ""})
	h.unharmed("a refusal", login...)
	tamper(clienttest.TokenPath, map[string]any{"error": "invalid_request" + attack, "error_description": attack})
	h.unharmed("an error of the token endpoint", "token", "--refresh", "--force")
	h.unharmed("the same in a trace", "token", "--refresh", "--force", "--debug")
	h.unharmed("the same in JSON", "token", "--refresh", "--force", "--json")
	tamper(clienttest.TokenPath, map[string]any{"scope": "openid " + attack, "token_type": "Bearer" + attack})
	h.unharmed("scopes", append(login, "--debug")...)
	h.unharmed("scopes in JSON", "status", "--json")
	tamper(clienttest.DevicePath, map[string]any{"user_code": attack + "ABCD", "verification_uri_complete": "https://example.com/\u202e"})
	h.unharmed("a device login", append(login, "--device", "--timeout", "1s")...)
	tamper(clienttest.DiscoveryPath, map[string]any{"issuer": attack, "scopes_supported": []string{attack}})
	h.unharmed("metadata", append(login, "--debug")...)
	tamper(clienttest.RevokePath, map[string]any{"error": "server_error" + attack})
	s.FailNext(clienttest.RevokePath, clienttest.Fault{Status: http.StatusBadRequest, Body: `{"error":"x","error_description":"` + "\u009b\u202e" + `"}`}, 1)
	h.unharmed("a logout", "logout", "--debug")
}

func TestAnAccountOfAnotherProgramCannotHarmTheTerminal(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	name := "work\u202e\u2066\u200f" // control characters are refused before
	h.login(s, "--as", name)
	for _, args := range [][]string{{"status"}, {"accounts"}, {"status", "--json"}, {"token", "--as", name + "2"}, {"logout", "--as", name}} {
		h.unharmed(strings.Join(args, " "), args...)
	}
}
