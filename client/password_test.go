package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

func typing(username, password string) client.Password {
	return client.Password{Read: func(context.Context) (string, string, error) { return username, password, nil }}
}

func TestAPasswordLoginAsksForScopesAndParameters(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		as.Set(func(o *clienttest.Options) { o.Resources = []string{"https://api.example"} })
		cfg := as.ConfidentialConfig()
		cfg.Params = url.Values{"audience": {"api"}, "resource": {"https://api.example"}}
		me := accountOf(t, cfg)
		flow := typing("alice", "password")
		flow.Scopes = []string{"profile"}
		flow.Params = url.Values{"connection": {"ldap"}}
		wantSignedIn(t, as, me, me.Login(t.Context(), flow))
		x := requestsTo(as, clienttest.TokenPath)[0]
		want := url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"password"},
			"scope": {"openid offline_access profile"}, "audience": {"api"}, "resource": {"https://api.example"}, "connection": {"ldap"}}
		if x.Form.Encode() != want.Encode() || x.ClientID != clienttest.ConfidentialClient {
			t.Errorf("the client %q asked for %v, want %v", x.ClientID, x.Form, want)
		}
	})
}

// listening is a store that remembers all that it was given in the clear.
type listening struct {
	*memstore.Store
	heard bytes.Buffer
}

func (*listening) Protected() {}

func (l *listening) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	l.heard.Write(data)
	return l.Store.Save(ctx, key, data, old)
}

func TestAPasswordIsNotKept(t *testing.T) {
	const password = "correct-horse-battery"
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		as.Set(func(o *clienttest.Options) { o.Users = []clienttest.User{{Account: "alice", Password: password}} })
		store := &listening{Store: memstore.New()}
		cfg := as.Config()
		cfg.Store, cfg.Sealer = store, nil
		me := accountOf(t, cfg)
		wantSignedIn(t, as, me, me.Login(t.Context(), typing("alice", password)))
		if _, err := me.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if store.heard.Len() == 0 || strings.Contains(store.heard.String(), password) {
			t.Errorf("of %d bytes kept, some are the password", store.heard.Len())
		}
		if x := requestsTo(as, clienttest.TokenPath)[1]; x.Form.Has("password") || x.Form.Has("username") {
			t.Errorf("the renewal sent %v", x.Form)
		}
	})
}

func TestAWrongPasswordIsAnErrorWithoutIt(t *testing.T) {
	const password = "correct horse+battery&staple"
	for name, description := range map[string]string{
		"a plain answer":           "wrong",
		"an echo":                  "bad credentials: alice " + password,
		"an echo of the form":      url.Values{"password": {password}}.Encode(),
		"an echo of a part of it":  "horse+battery",
		"an echo in another place": "",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				code := "invalid_grant"
				tamper(as, clienttest.TokenPath, func(_ clienttest.Exchange, answer map[string]any) {
					if answer["error_description"] = description; description == "" {
						answer["error"] = "invalid_grant:" + url.QueryEscape(password)
						code = "unknown_error"
					}
				})
				me := accountOf(t, as.Config())
				err := me.Login(t.Context(), typing("alice", password))
				wantNoLogin(t, me, err, code)
				for _, part := range []string{"horse", "battery", "staple"} {
					if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), part) {
						t.Errorf("the error holds the password: %v", err)
					}
				}
			})
		})
	}
}

func TestAPasswordIsSentOnce(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{
		"redirect":    {Status: 307, Header: http.Header{"Location": {"https://as.example/elsewhere"}}},
		"lost answer": {Drop: true, Commit: true},
		"busy":        {Status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.FailNext(clienttest.TokenPath, fault, 1)
				me := accountOf(t, as.Config())
				wantNoLogin(t, me, me.Login(t.Context(), typing("alice", "password")), "")
				if n := as.Requests(clienttest.TokenPath) + as.Requests("/elsewhere"); n != 1 {
					t.Errorf("the password was sent %d times", n)
				}
			})
		})
	}
}

func TestAPasswordLoginNeedsReadAndWhatItReads(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		me := accountOf(t, as.Config())
		wantNoLogin(t, me, me.Login(t.Context(), client.Password{}), "", "Password.Read is nil")
		wantNoLogin(t, me, me.Login(t.Context(), typing("", "password")), "", "no user name, or no password")
		wantNoLogin(t, me, me.Login(t.Context(), typing("alice", "")), "", "no user name, or no password")
		if n := as.Requests(clienttest.TokenPath); n != 0 {
			t.Errorf("%d token requests, want none", n)
		}
	})
}

func ExamplePassword() {
	as, err := clienttest.Start(clienttest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer as.Close()
	c, err := client.New(as.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	// Where nothing else is to be had. A program asks its user, without an echo.
	flow := client.Password{Read: func(context.Context) (username, password string, err error) {
		return "alice", "a typing error", nil
	}}
	err = c.Account("default").Login(context.Background(), flow)
	if e, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(e.Code)
	}
	flow.Read = func(context.Context) (username, password string, err error) { return "alice", "password", nil }
	fmt.Println(c.Account("default").Login(context.Background(), flow))
	// Output:
	// invalid_grant
	// <nil>
}
