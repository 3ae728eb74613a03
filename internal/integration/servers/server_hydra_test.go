package servers_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
)

func hydra() server {
	return server{
		name: "hydra",
		open: openHydra,
		lacks: map[string]string{
			"login by device":           "it has no device flow",
			"login by password":         "it has no password grant",
			"the user refuses a device": "it has no device flow",
		},
		untried: map[string]string{"the server is busy": "nothing here makes it busy"},
	}
}

// openHydra starts the servers that stories share: each has a PostgreSQL of its own,
// and takes seconds to start.
func openHydra(t *testing.T) func(*testing.T, settings) *running {
	shared := map[int]*lab.Hydra{}
	for _, grace := range []int{0, 30} {
		shared[grace] = lab.StartHydra(t, "AT_TTL=2", fmt.Sprintf("GRACE=%d", grace))
	}
	return func(t *testing.T, s settings) *running {
		if s.alone {
			return startHydra(t, lab.StartHydra(t, fmt.Sprintf("AT_TTL=%d", s.lifetime), fmt.Sprintf("GRACE=%d", s.grace)))
		}
		r := startHydra(t, shared[s.grace])
		r.lifetime = 2 * time.Second
		return r
	}
}

func startHydra(t *testing.T, h *lab.Hydra) *running {
	const redirectURL = "http://127.0.0.1/cb"
	confidential := "story-" + rand.Text() // of this story alone, which may change its secret
	h.Admin(t, http.MethodPost, "/admin/clients", map[string]any{
		"client_id": confidential, "client_secret": lab.BasicSecret, "token_endpoint_auth_method": "client_secret_basic",
		"redirect_uris": []string{redirectURL}, "response_types": []string{"code"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid offline_access",
	})
	return &running{
		t: t, issuer: h.Issuer,
		public:       client.Config{Issuer: h.Issuer, ClientID: lab.PublicClient, RedirectURL: redirectURL},
		confidential: client.Config{Issuer: h.Issuer, ClientID: confidential, Auth: client.Secret(lab.BasicSecret), RedirectURL: redirectURL},
		browserURL:   redirectURL,
		user:         walk("alice"),
		changeSecret: func() string {
			h.Admin(t, http.MethodPatch, "/admin/clients/"+confidential, []map[string]string{
				{"op": "replace", "path": "/client_secret", "value": "another-secret"},
			})
			return "another-secret"
		},
		rotateKeys: func() { h.NewKey(t, rand.Text()) },
		kill:       func() func() { return h.Kill(t) },
		noRefresh:  func(c *client.Config) { c.Scopes = []string{"openid"} },
	}
}
