package servers_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// fake is the server of clienttest: what other programs test with has to be like
// real ones.
func fake() server {
	return server{
		name: "clienttest",
		open: alike(startFake),
	}
}

func startFake(t *testing.T, s settings) *running {
	options := clienttest.Options{
		AccessTokenLifetime: time.Duration(s.lifetime) * time.Second,
		Grace:               time.Duration(s.grace) * time.Second,
		DeviceInterval:      time.Second,
	}
	begin := func(o clienttest.Options) *clienttest.Server {
		as, err := clienttest.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(as.Close)
		return as
	}
	as := begin(options)
	confidential := client.Config{Issuer: as.Issuer(), ClientID: clienttest.ConfidentialClient, Auth: client.Secret(clienttest.ConfidentialSecret), RedirectURL: "http://127.0.0.1/cb"}
	return &running{
		t: t, issuer: as.Issuer(),
		public:       client.Config{Issuer: as.Issuer(), ClientID: clienttest.PublicClient, RedirectURL: "http://127.0.0.1/cb"},
		confidential: confidential,
		username:     "alice", password: "password",
		user: func(_ *testing.T, page string, w wish) (string, error) {
			if w.code != "" {
				if w.deny {
					return "", as.DenyDevice(w.code)
				}
				return "", as.ApproveDevice(w.code, "alice")
			}
			as.Set(func(o *clienttest.Options) { o.UserDenies = w.deny })
			agent := as.UserAgent("alice")
			agent.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			resp, err := agent.Get(page)
			if err != nil {
				return "", err
			}
			defer resp.Body.Close()
			callback, err := resp.Location()
			if err != nil || w.stay {
				return callback.String(), err
			}
			answer, err := as.UserAgent("alice").Get(callback.String())
			if err != nil {
				return "", err
			}
			return callback.String(), answer.Body.Close()
		},
		changeSecret: func() string {
			as.Set(func(o *clienttest.Options) {
				for i := range o.Clients {
					if o.Clients[i].Secret != "" {
						o.Clients[i].Secret = "another-secret"
					}
				}
			})
			return "another-secret"
		},
		rotateKeys: as.RotateKeys,
		kill: func() func() {
			u, err := url.Parse(as.Issuer())
			if err != nil {
				t.Fatal(err)
			}
			as.Close()
			options.Issuer = u.String()
			return func() { as = begin(options) }
		},
		busy:      func() { as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable}, 1) },
		noRefresh: func(c *client.Config) { c.Scopes = []string{"openid"} },
	}
}
