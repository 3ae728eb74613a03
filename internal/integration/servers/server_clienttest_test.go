package servers_test

import (
	"net/http"
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
	f := newFake(t, clienttest.Options{
		AccessTokenLifetime: time.Duration(s.lifetime) * time.Second,
		Grace:               time.Duration(s.grace) * time.Second,
	})
	r := f.running()
	r.noRefresh = func(c *client.Config) { c.Scopes = []string{"openid"} }
	return r
}

// A faked server is one of clienttest, which can be replaced by another.
type faked struct {
	*clienttest.Server
	t       *testing.T
	options clienttest.Options
}

func newFake(t *testing.T, o clienttest.Options) *faked {
	t.Helper()
	o.DeviceInterval = time.Second
	f := &faked{t: t, options: o}
	f.begin()
	return f
}

func (f *faked) begin() {
	f.t.Helper()
	as, err := clienttest.Start(f.options)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(as.Close)
	f.Server = as
}

func (f *faked) running() *running {
	public, confidential := f.Config(), f.ConfidentialConfig()
	public.RedirectURL, confidential.RedirectURL = "http://127.0.0.1/cb", "http://127.0.0.1/cb"
	return &running{
		t: f.t, issuer: f.Issuer(),
		public: public, confidential: confidential,
		username: "alice", password: "password",
		user:         f.user,
		changeSecret: f.changeSecret,
		rotateKeys:   func() { f.RotateKeys() },
		kill: func() func() {
			f.options.Issuer = f.Issuer()
			f.Close()
			return f.begin
		},
		busy: func() { f.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable}, 1) },
	}
}

func (f *faked) user(_ *testing.T, page string, w wish) (string, error) {
	if w.code != "" {
		if w.deny {
			return "", f.DenyDevice(w.code)
		}
		return "", f.ApproveDevice(w.code, "alice")
	}
	f.Set(func(o *clienttest.Options) { o.UserDenies = w.deny })
	agent := f.UserAgent("alice")
	agent.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := agent.Get(page)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	callback, err := resp.Location()
	if err != nil {
		return "", err
	}
	if w.stay {
		return callback.String(), nil
	}
	answer, err := f.UserAgent("alice").Get(callback.String())
	if err != nil {
		return "", err
	}
	return callback.String(), answer.Body.Close()
}

func (f *faked) changeSecret() string {
	f.Set(func(o *clienttest.Options) {
		for i := range o.Clients {
			if o.Clients[i].Secret != "" {
				o.Clients[i].Secret = "another-secret"
			}
		}
	})
	return "another-secret"
}
