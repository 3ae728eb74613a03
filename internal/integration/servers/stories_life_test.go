package servers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/regrant/regrant/client"
)

func stories() []story {
	slow := settings{lifetime: 30}
	return []story{
		{name: "login by browser", tell: byBrowser, settings: slow, listens: true},
		{name: "login by device", tell: byDevice, settings: slow, lacking: noDevice},
		{name: "login by password", tell: byPassword, settings: slow, lacking: noPassword},
		{name: "login by paste", tell: byPaste, settings: slow},
		{name: "login on the web", tell: byWeb, settings: slow},
		{name: "the user refuses in the browser", tell: browserRefused, lacking: refusalStrands, listens: true},
		{name: "the user refuses a device", tell: deviceRefused, lacking: refusalUnheard},
		{name: "a login brings no refresh token", tell: withoutRefreshToken},
		{name: "ten expiries, processes with many callers", tell: tenExpiries},
		{name: "the same user logs in to a second program", tell: twice},
		{name: "the granted scopes are known", tell: scopes},
		{name: "logout", tell: logout},
		{name: "a copy of the token is used before us", tell: copyUsed},
		{name: "an old token is used again", tell: oldUsed},
		{name: "somebody else revokes the grant", tell: revoked},
		{name: "a wrong secret", tell: wrongSecret},
		{name: "the secret is changed", tell: changedSecret, lacking: keepsSecrets, able: func(r *running) bool { return r.changeSecret != nil }},
		{name: "the signing keys are changed", tell: changedKeys, able: func(r *running) bool { return r.rotateKeys != nil }},
		{name: "the server is killed and restarted", tell: restart, settings: settings{alone: true}},
		{name: "the server is busy", tell: busy, able: func(r *running) bool { return r.busy != nil }},
		{name: "a request is lost", tell: requestLost},
		{name: "an answer is lost, without a grace period", tell: answerLost},
		{name: "an answer is lost within a grace period", tell: answerLostInGrace, settings: settings{grace: 30}, lacking: noGrace},
		{name: "parallel renewals within a grace period", tell: parallelInGrace, settings: settings{grace: 30}, lacking: noGrace},
	}
}

// scopes checks that what the server granted stays known, whatever its answers to
// renewals say, or leave out (RFC 6749 section 5.1).
func scopes(t *testing.T, r *running) string {
	p := r.program(func(c *client.Config) { c.Scopes = append(c.Scopes, r.asks...) })
	p.login()
	first, err := p.Status(t.Context())
	for _, want := range r.scopes {
		if err != nil || !slices.Contains(first.Scopes, want) {
			t.Errorf("after the login: %q, %v; want %q", first.Scopes, err, want)
		}
	}
	for range 2 {
		if _, err := p.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if last, err := p.Status(t.Context()); err != nil || !slices.Equal(first.Scopes, last.Scopes) {
		t.Errorf("after renewals: %q, %v; before: %q", last.Scopes, err, first.Scopes)
	}
	return ""
}

// copyUsed is a thief, or a backup that is used: somebody spends the token first.
func copyUsed(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	theirs, ok := r.refresh(p.stored().RefreshToken)
	if !ok {
		t.Fatal("the copy does not work, so there is nothing to tell")
	}
	p.expire()
	if !p.endsOrWorks() {
		return "both go on"
	}
	if err := p.ended(); strings.Contains(err.Error(), "never received") {
		t.Errorf("no answer was lost, but the error says so: %v", err)
	}
	_, lives := r.refresh(theirs)
	p.login()
	p.works()
	if lives {
		return "our grant ends, and theirs goes on"
	}
	return "the grant ends for both"
}

// oldUsed is a copy that is used too late.
func oldUsed(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	old := p.stored().RefreshToken
	if _, err := p.Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	p.works() // some servers wait for that before they forget the old one
	_, taken := r.refresh(old)
	p.expire()
	switch ends := p.endsOrWorks(); {
	case taken && ends:
		t.Error("the old token was taken, and ours was not")
	case taken:
		return "both go on"
	case !ends:
		return "ours goes on"
	}
	p.login()
	p.works()
	return "the grant ends, and says so"
}

func revoked(t *testing.T, r *running) (note string) {
	p := r.program(nil)
	p.login()
	if r.revoke != nil {
		r.revoke()
	} else if status, _ := r.post("revocation_endpoint", map[string][]string{"token": {p.stored().RefreshToken}}); status != 200 {
		t.Fatalf("the revocation endpoint answers %d", status)
	}
	p.expire()
	_ = p.ended()
	if r.played != nil {
		note = p.tellsOthers()
	}
	r.another(p.cfg, p.place).login() // in another program
	p.recovers()
	return note
}

// parallelInGrace is what a grace period is for: others use the same token at once.
func parallelInGrace(t *testing.T, r *running) (note string) {
	p := r.program(nil)
	p.login()
	spent := p.stored().RefreshToken
	if _, ok := r.refresh(spent); !ok {
		t.Fatal("the copy does not work, so there is nothing to tell")
	}
	if _, err := p.Refresh(t.Context(), nil); err != nil {
		t.Errorf("within the grace period our token is refused: %v", err)
	}
	p.works()
	if _, ok := r.refresh(spent); !ok {
		note = "until the API has seen what came of it"
	}
	if _, err := p.Refresh(t.Context(), nil); err != nil {
		t.Errorf("our own token is refused: %v", err)
	}
	p.works()
	return note
}

// isConfiguration checks that a human has to change something, and that the user is
// not bothered.
func isConfiguration(t *testing.T, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != code || e.Temporary || errors.Is(err, client.ErrLoginRequired) {
		t.Errorf("the error is %v", err)
	}
}
