package servers_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
)

func TestADeviceLoginEndsWhenTheUserHasAgreed(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t)
	me := open(t, configFor(t, p))
	if err := me.Ensure(patient(t), device(t)); err != nil {
		t.Fatal(err)
	}
	works(t, p, me)
	if _, err := me.Refresh(t.Context(), nil); err != nil {
		t.Errorf("the grant of a device cannot be renewed: %v", err)
	}
}

func TestADeviceLoginEndsWhenTheUserHasRefused(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t)
	me := open(t, configFor(t, p))
	err := me.Login(patient(t), device(t, "--deny"))
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "access_denied" {
		t.Errorf("the user has refused, and the error is %v", err)
	}
}

// device is a Device with a scripted user, who types the code on another machine.
func device(t *testing.T, args ...string) client.Device {
	return client.Device{Show: func(_ context.Context, prompt *oauth2.DeviceAuthResponse) error {
		_, err := lab.User(t, prompt.VerificationURI, append(args, "--fill", "user_code="+prompt.UserCode)...)
		return err
	}}
}

func TestAPastedURLLogsIn(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t)
	cfg := configFor(t, p)
	cfg.RedirectURL = "http://127.0.0.1/cb" // nobody listens there
	me := open(t, cfg)
	err := me.Ensure(patient(t), client.Paste{Read: func(_ context.Context, url string) (string, error) {
		return lab.User(t, url, "--no-callback")
	}})
	if err != nil {
		t.Fatal(err)
	}
	works(t, p, me)
}

func TestABrowserLoginEndsWhenTheUserHasRefused(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t)
	me := open(t, configFor(t, p))
	err := me.Login(patient(t), browser(t, "--deny"))
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "access_denied" {
		t.Errorf("the user has refused, and the error is %v", err)
	}
}

// The most common surprise of OAuth: oidc-provider ignores offline_access unless
// the user is asked for consent (OpenID Connect Core 1.0 section 11).
func TestALoginWithoutARefreshTokenSaysWhatToSet(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t)
	cfg := configFor(t, p)
	cfg.Params = url.Values{"prompt": {"login"}}
	me := open(t, cfg)
	err := me.Login(patient(t), browser(t))
	if err == nil || !strings.Contains(err.Error(), "no refresh token") || !strings.Contains(err.Error(), "prompt=consent") {
		t.Errorf("the error is %v", err)
	}
	if status, err := me.Status(t.Context()); err != nil || !errors.Is(status.Err, client.ErrLoginRequired) {
		t.Errorf("what is kept: %+v, %v", status, err)
	}
}

func TestALogoutRevokesTheGrantAtTheServer(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t)
	me := open(t, configFor(t, p))
	login(t, me)
	token := newest(t, p)
	endSession, err := me.Logout(t.Context())
	if err != nil || !strings.HasPrefix(endSession, p.Issuer) {
		t.Errorf("Logout: %d bytes of URL, %v", len(endSession), err)
	}
	if status, _ := post(t, p.URL("/token"), refreshOf(token)); status != 400 {
		t.Errorf("the refresh token still works: status %d", status)
	}
	if _, err := me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
		t.Errorf("after the logout: %v", err)
	}
}

// refreshOf is the refresh request of another program that has got hold of a
// token.
func refreshOf(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {lab.PublicClient}}
}
