package servers_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
)

func oidcProvider() server {
	return server{
		name: "oidc-provider",
		open: alike(startOIDCProvider),
		lacks: map[string]string{
			"the secret is changed":                   "a client keeps its secret for as long as it lives",
			"an answer is lost within a grace period": "it has no grace period",
			"parallel renewals within a grace period": "it has no grace period",
		},
		untried: map[string]string{"the signing keys are changed": "its keys change only by a restart, which forgets every grant"},
	}
}

func startOIDCProvider(t *testing.T, s settings) *running {
	p := lab.StartOIDCProvider(t, fmt.Sprintf("AT_TTL=%d", s.lifetime))
	config := client.Config{Issuer: p.Issuer, RedirectURL: "http://127.0.0.1/cb"}
	public, confidential := config, config
	public.ClientID = lab.PublicClient
	confidential.ClientID, confidential.Auth = lab.BasicClient, client.Secret(lab.BasicSecret)
	return &running{
		t: t, issuer: p.Issuer,
		public: public, confidential: confidential,
		username: "alice", password: "wonderland",
		user: walk("alice"),
		kill: p.Kill,
		busy: func() { p.Fail(lab.Fault{Path: "/token", Mode: "status", Status: 503, N: 1}) },
		// It ignores offline_access unless the user is asked for consent (OpenID
		// Connect Core 1.0 section 11).
		noRefresh: func(c *client.Config) { c.Params = url.Values{"prompt": {"login"}} },
	}
}

// walk is the scripted user of the lab.
func walk(user string) func(*testing.T, string, wish) (string, error) {
	return func(t *testing.T, page string, w wish) (string, error) {
		args := []string{"--user", user}
		if w.deny {
			args = append(args, "--deny")
		}
		if w.stay {
			args = append(args, "--no-callback")
		}
		if w.code != "" {
			args = append(args, "--fill", "user_code="+w.code)
		}
		return lab.User(t, page, args...)
	}
}
