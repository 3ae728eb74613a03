package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/regrant/regrant/client"
)

// ask has auth authenticate a request to a server with these methods.
func ask(t *testing.T, auth client.ClientAuth, methods ...string) (*client.TokenRequest, error) {
	t.Helper()
	req := &client.TokenRequest{
		Endpoint: "https://as.example.com/token", Issuer: "https://as.example.com", ClientID: "a:b",
		Methods: methods, Form: url.Values{"grant_type": {"refresh_token"}}, Header: http.Header{},
	}
	err := auth.Authenticate(t.Context(), req)
	return req, err
}

func TestASecretIsSentByOneMethodThatTheServerHas(t *testing.T) {
	const secret = "p%+ é&="
	for _, c := range []struct {
		name    string
		methods []string
		basic   bool
	}{
		{"the server does not say", nil, true},
		{"basic", []string{"client_secret_basic"}, true},
		{"both", []string{"client_secret_post", "client_secret_basic"}, true},
		{"post only", []string{"client_secret_post"}, false},
		{"post and others", []string{"private_key_jwt", "client_secret_post", "none"}, false},
		{"neither", []string{"private_key_jwt"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := ask(t, client.Secret(secret), c.methods...)
			if err != nil {
				t.Fatal(err)
			}
			id, password, basic := (&http.Request{Header: req.Header}).BasicAuth()
			if basic != c.basic || req.Form.Has("client_secret") == c.basic {
				t.Fatalf("header %v, form %v; want one method, basic: %v", req.Header, req.Form, c.basic)
			}
			if !basic {
				if req.Form.Get("client_id") != "a:b" || req.Form.Get("client_secret") != secret {
					t.Errorf("the form is %v", req.Form)
				}
				return
			}
			// RFC 6749 section 2.3.1: the server form-decodes both halves.
			plainID, err1 := url.QueryUnescape(id)
			plainSecret, err2 := url.QueryUnescape(password)
			if plainID != "a:b" || plainSecret != secret || err1 != nil || err2 != nil {
				t.Errorf("the credentials are %q and %q", id, password)
			}
			if req.Form.Has("client_id") {
				t.Error("the form names the client as well")
			}
		})
	}
}

func TestASecretThatChangesIsAskedForEachTime(t *testing.T) {
	n := 0
	auth := client.SecretFunc(func(context.Context) (string, error) { n++; return []string{"one", "two"}[n-1], nil })
	for _, want := range []string{"one", "two"} {
		req, err := ask(t, auth, "client_secret_post")
		if err != nil || req.Form.Get("client_secret") != want {
			t.Errorf("got %q, %v; want %q", req.Form.Get("client_secret"), err, want)
		}
	}
}

func TestWithoutASecretNothingIsPrepared(t *testing.T) {
	cause := errors.New("the vault is sealed")
	for name, auth := range map[string]client.ClientAuth{
		"an error": client.SecretFunc(func(context.Context) (string, error) { return "half", cause }),
		"empty":    client.SecretFunc(func(context.Context) (string, error) { return "", nil }),
	} {
		t.Run(name, func(t *testing.T) {
			req, err := ask(t, auth)
			if err == nil || name == "an error" && !errors.Is(err, cause) {
				t.Errorf("error is %v", err)
			}
			if len(req.Header) > 0 || len(req.Form) > 1 {
				t.Errorf("header %v, form %v", req.Header, req.Form)
			}
		})
	}
}
