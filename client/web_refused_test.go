package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

func TestAResponseThatBelongsToNoLoginOfTheBrowserIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(v *visitor, callback string) string{
		"finished already": func(v *visitor, callback string) string {
			_, _ = v.finish(v.b.machine(), callback, "user-7")
			return callback
		},
		"after ten minutes": func(v *visitor, callback string) string {
			time.Sleep(10*time.Minute + time.Second)
			return callback
		},
		"a state made up": func(_ *visitor, callback string) string {
			return strings.Replace(callback, "state=", "state=x", 1)
		},
		"no state": func(_ *visitor, callback string) string {
			return strings.Replace(callback, "state=", "stat=", 1)
		},
		"two states": func(_ *visitor, callback string) string { return callback + "&state=x" },
		"another browser": func(v *visitor, callback string) string {
			v.cookies = map[string]*http.Cookie{}
			return callback
		},
		"a cookie made up": func(v *visitor, callback string) string {
			for _, c := range v.cookies {
				c.Value = strings.ToUpper(c.Value)
			}
			return callback
		},
		"the cookie of another login": func(v *visitor, callback string) string {
			other := v.b.visitor("bob")
			other.begin(v.b.machine(), "user-7", client.AuthRequest{})
			for _, c := range v.cookies {
				for _, o := range other.cookies {
					c.Value = o.Value
				}
			}
			return callback
		},
		"a cookie of another client": func(v *visitor, _ string) string {
			b := &backend{t: v.b.t, as: v.b.as, cfg: v.b.cfg}
			b.cfg.ClientID, b.cfg.Auth = "another", nil
			other := b.visitor("bob")
			page := other.begin(b.machine(), "user-7", client.AuthRequest{})
			v.cookies = other.cookies
			return callbackURL + "?code=x&state=" + must(url.Parse(page)).Query().Get("state")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				b := newBackend(t, as)
				v := b.visitor("bob")
				c := b.machine()
				callback := spoil(v, v.agree(v.begin(c, "user-7", client.AuthRequest{})))
				before := as.Requests(clienttest.TokenPath)
				me, err := v.finish(c, callback, "user-7")
				if me != nil || !errors.Is(err, client.ErrStaleLogin) || errors.Is(err, client.ErrLoginRequired) {
					t.Errorf("FinishLogin: %v, %v", me, err)
				}
				if failed := b.failure(); !errors.Is(failed, client.ErrStaleLogin) {
					t.Errorf("the event says %v", failed)
				}
				if as.Requests(clienttest.TokenPath) != before {
					t.Error("something was sent to the token endpoint")
				}
				state := must(url.Parse(callback)).Query().Get("state")
				if len(state) > 1 && strings.Contains(fmt.Sprintf("%+v", err), state) {
					t.Errorf("the error shows the state: %v", err)
				}
			})
		})
	}
}

func TestALoginThatWasBegunForAnotherAccountIsRefused(t *testing.T) {
	for _, finish := range []string{"user-8", ""} {
		b := newBackend(t, clienttest.NewMemoryServer(t))
		c := b.machine()
		v := b.visitor("bob")
		me, err := v.finish(c, v.agree(v.begin(c, "user-7", client.AuthRequest{})), finish)
		if me != nil || !errors.Is(err, client.ErrAccountChanged) || !errors.Is(b.failure(), client.ErrAccountChanged) {
			t.Errorf("FinishLogin: %v, %v", me, err)
		}
		if n := b.as.Requests(clienttest.TokenPath); n != 0 {
			t.Errorf("%d token requests", n)
		}
	}
}

func TestAUserWhoRefusesIsTold(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	b.as.Set(func(o *clienttest.Options) { o.UserDenies = true })
	c := b.machine()
	v := b.visitor("bob")
	_, err := v.finish(c, v.agree(v.begin(c, "user-7", client.AuthRequest{})), "user-7")
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "access_denied" || e.Temporary || !errors.Is(b.failure(), e) {
		t.Errorf("FinishLogin: %v", err)
	}
	if len(v.cookies) != 0 {
		t.Error("the cookie stays")
	}
}

func TestTheResponseOfAnotherServerIsRefused(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	b.as.Set(func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.Path == clienttest.AuthorizePath {
				answer["iss"] = "https://evil.example"
			}
		}
	})
	c := b.machine()
	v := b.visitor("bob")
	if _, err := v.finish(c, v.agree(v.begin(c, "user-7", client.AuthRequest{})), "user-7"); err == nil || !strings.Contains(err.Error(), "RFC 9207") {
		t.Errorf("FinishLogin: %v", err)
	}
	if n := b.as.Requests(clienttest.TokenPath); n != 0 {
		t.Errorf("%d token requests", n)
	}
}

func TestAResponseByPostIsRefused(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	c := b.machine()
	v := b.visitor("bob")
	r := v.request(http.MethodPost, v.agree(v.begin(c, "user-7", client.AuthRequest{})))
	if _, err := c.FinishLogin(httptest.NewRecorder(), r, "user-7"); !errors.Is(err, client.ErrStaleLogin) {
		t.Errorf("FinishLogin: %v", err)
	}
}

// silent has no secrets to seal.
type silent struct{ tokenstore.Store }

func (silent) Protected() {}

func TestAWebLoginSaysWhatIsMissing(t *testing.T) {
	slow, err := tokenstore.NewPassphraseSealer("a passphrase")
	if err != nil {
		t.Fatal(err)
	}
	changed, err := tokenstore.NewRotation(testSealer(t), slow)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		account string
		change  func(*client.Config)
		want    string
	}{
		{"no redirect URL", "user-7", func(c *client.Config) { c.RedirectURL = "" }, "Config.RedirectURL is empty"},
		{"a redirect URL over http", "user-7", func(c *client.Config) { c.RedirectURL = "http://app.example/callback" }, "Config.RedirectURL is plain http"},
		{"no sealer", "user-7", func(c *client.Config) { c.Sealer, c.Store = nil, silent{memstore.New()} }, "Config.Sealer is nil"},
		{"a passphrase", "user-7", func(c *client.Config) { c.Sealer = slow }, "too slow"},
		{"a passphrase of before", "user-7", func(c *client.Config) { c.Sealer = changed }, "too slow"},
		{"a name that is none", "a\nb", func(*client.Config) {}, "control characters"},
		{"a parameter of the flow itself", "user-7", func(*client.Config) {}, "AuthRequest.Params"},
		{"a name that fits no cookie", strings.Repeat("x", 1024), func(c *client.Config) {
			for i := range 200 {
				c.Scopes = append(c.Scopes, fmt.Sprintf("scope-number-%d", i))
			}
		}, "does not fit into a cookie"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBackend(t, clienttest.NewMemoryServer(t))
			c.change(&b.cfg)
			cl := b.machine()
			v := b.visitor("bob")
			var ask client.AuthRequest
			if strings.Contains(c.want, "Params") {
				ask.Params = url.Values{"state": {"mine"}}
			}
			rec := httptest.NewRecorder()
			err := cl.BeginLogin(rec, v.request(http.MethodPost, "https://app.example/login"), c.account, ask)
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(b.failure(), err) {
				t.Errorf("BeginLogin: %v", err)
			}
			if rec.Body.Len() > 0 || len(rec.Header()) > 0 {
				t.Errorf("something was written: %v %s", rec.Header(), rec.Body)
			}
		})
	}
}

func TestAWebLoginAfterCloseIsRefused(t *testing.T) {
	b := newBackend(t, clienttest.NewMemoryServer(t))
	c := b.machine()
	v := b.visitor("bob")
	callback := v.agree(v.begin(c, "", client.AuthRequest{}))
	_ = c.Close()
	if _, err := v.finish(c, callback, ""); !errors.Is(err, client.ErrClosed) {
		t.Errorf("FinishLogin: %v", err)
	}
	err := c.BeginLogin(httptest.NewRecorder(), v.request(http.MethodPost, "https://app.example/login"), "", client.AuthRequest{})
	if !errors.Is(err, client.ErrClosed) {
		t.Errorf("BeginLogin: %v", err)
	}
}
