package servers_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
)

// loggedIn checks what a flow has to bring: a grant that is of somebody, and that renews.
func loggedIn(p *program, err error) (note string) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("login: %v", err)
	}
	var who struct {
		Sub string `json:"sub"`
	}
	if p.stored().IDToken == "" {
		note = "without an ID token"
	} else if err := p.Claims(p.t.Context(), &who); err != nil || who.Sub == "" {
		p.t.Errorf("the ID token is about %q, %v", who.Sub, err)
	}
	p.works()
	before := p.stored()
	if _, err := p.Refresh(p.t.Context(), nil); err != nil {
		p.t.Errorf("the grant cannot be renewed: %v", err)
	}
	if after := p.stored(); after.AccessToken == before.AccessToken || after.Generation != before.Generation+1 {
		p.t.Error("the renewal brought nothing new")
	}
	p.works()
	return note
}

func byBrowser(t *testing.T, r *running) string {
	p := r.program(nil)
	return loggedIn(p, p.ask(r.browser(t, wish{})))
}

func (r *running) browser(t *testing.T, w wish) client.Browser {
	return client.Browser{RedirectURL: r.browserURL, Open: func(page string) error {
		callback, err := r.user(t, page, w)
		if err == nil && callback == "" {
			err = errors.New("the user has gone away")
		}
		return err
	}}
}

func byDevice(t *testing.T, r *running) string {
	p := r.program(nil)
	return loggedIn(p, p.ask(r.device(t, wish{})))
}

// device is a program whose user types the code on another machine.
func (r *running) device(t *testing.T, w wish) client.Device {
	return client.Device{Show: func(_ context.Context, prompt *oauth2.DeviceAuthResponse) error {
		w := w
		w.code = prompt.UserCode
		_, err := r.user(t, prompt.VerificationURI, w)
		return err
	}}
}

func byPassword(t *testing.T, r *running) string {
	p := r.program(func(c *client.Config) { *c = r.confidential })
	return loggedIn(p, p.ask(client.Password{Read: func(context.Context) (string, string, error) {
		return r.username, r.password, nil
	}}))
}

func byPaste(t *testing.T, r *running) string {
	p := r.program(nil)
	return loggedIn(p, p.ask(r.paste(t)))
}

// byWeb logs in at a backend, with two machines behind a load balancer.
func byWeb(t *testing.T, r *running) string {
	at := r.newPlace()
	first, second := r.another(r.confidential, at), r.another(r.confidential, at)
	begun := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/login", nil)
	if err := first.owner.BeginLogin(begun, request, "alice", client.AuthRequest{}); err != nil {
		t.Fatal(err)
	}
	page, err := begun.Result().Location()
	if err != nil {
		t.Fatal(err)
	}
	callback, err := r.user(t, page.String(), wish{stay: true})
	if err != nil {
		t.Fatal(err)
	}
	request = httptest.NewRequestWithContext(t.Context(), http.MethodGet, callback, nil)
	for _, c := range begun.Result().Cookies() {
		request.AddCookie(c)
	}
	_, err = second.owner.FinishLogin(httptest.NewRecorder(), request, "alice")
	note := loggedIn(second, err)
	first.works()
	return note
}

func browserRefused(t *testing.T, r *running) string {
	err := r.program(nil).ask(r.browser(t, wish{deny: true}))
	return denied(t, err)
}

func deviceRefused(t *testing.T, r *running) string {
	err := r.program(nil).ask(r.device(t, wish{deny: true}))
	return denied(t, err)
}

func denied(t *testing.T, err error) string {
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "access_denied" {
		t.Errorf("the user has refused, and the error is %v", err)
	}
	return ""
}

// withoutRefreshToken is the most common surprise of OAuth.
func withoutRefreshToken(t *testing.T, r *running) string {
	p := r.program(r.noRefresh)
	err := p.ask(r.paste(t))
	if err == nil || !strings.Contains(err.Error(), "no refresh token") || !strings.Contains(err.Error(), r.advice) {
		t.Errorf("the error is %v", err)
	}
	if status, err := p.Status(t.Context()); err != nil || !errors.Is(status.Err, client.ErrLoginRequired) {
		t.Errorf("what is kept: %+v, %v", status, err)
	}
	return ""
}

// twice lets the same user log in to two programs.
func twice(t *testing.T, r *running) string {
	first, second := r.program(nil), r.program(nil)
	first.login()
	second.login()
	second.expire()
	second.works()
	if !first.endsOrWorks() {
		return "both go on"
	}
	first.login()
	first.works()
	return "the first grant ends, and says so"
}

func logout(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	kept := p.stored().RefreshToken
	endSession, err := p.Logout(t.Context())
	if r.metadata()["end_session_endpoint"] != nil && !strings.Contains(endSession, "id_token_hint=") {
		t.Error("the URL of the logout at the server names no ID token")
	}
	if _, err := p.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
		t.Errorf("after the logout: %v", err)
	}
	_, lives := r.refresh(kept)
	switch {
	case lives && (err == nil || !strings.Contains(err.Error(), "no revocation endpoint")):
		t.Errorf("the grant lives on at the server, and the error does not say why: %v", err)
	case lives:
		return "forgotten here; the server cannot revoke, and the error says so"
	case err != nil:
		t.Errorf("Logout: %v", err)
	}
	return "revoked at the server"
}
