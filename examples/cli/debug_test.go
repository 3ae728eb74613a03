package main

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestDebugShowsNoSecretThatAServerRepeats(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) {
		o.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", error_description="of `+token+`"`)
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "no")
		})
	})
	h.write("secret", clienttest.ConfidentialSecret)
	h.must("login", s.Issuer(), "--client-id", clienttest.ConfidentialClient, "--client-secret-file", h.path("secret"), "--store", "file")
	token := strings.TrimSpace(h.must("token").out)

	o := h.run("call", s.URL(clienttest.APIPath), "--debug")
	contains(t, o.err, "Authorization: Bearer [not shown]", "403 Forbidden", "Www-Authenticate: [not shown")
	if strings.Contains(o.err, token) {
		t.Errorf("the trace has the access token:\n%s", o.err)
	}

	s.Set(func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.Path == clienttest.TokenPath {
				maps.Copy(answer, map[string]any{"error": "invalid_client", "error_description": "wrong: " + clienttest.ConfidentialSecret})
			}
		}
	})
	o = h.run("token", "--refresh", "--debug")
	contains(t, o.err, "Authorization: Basic [not shown]", "error: \"invalid_client\"", "error_description: [not shown")
	if strings.Contains(o.err, clienttest.ConfidentialSecret) {
		t.Errorf("the trace has the client secret:\n%s", o.err)
	}
}
