package servers_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
)

func wrongSecret(t *testing.T, r *running) string {
	p := r.program(func(c *client.Config) { *c = r.confidential })
	p.login()
	p.expire()
	wrong := p.cfg
	wrong.Auth = client.Secret("not the secret")
	err := r.another(wrong, p.place).token()
	isConfiguration(t, err, "invalid_client")
	p.works()
	return ""
}

// changedSecret is a rotation of the client secret, to which programs are not
// restarted.
func changedSecret(t *testing.T, r *running) string {
	var secret atomic.Pointer[string]
	p := r.program(func(c *client.Config) {
		*c = r.confidential
		right := c.Auth
		c.Auth = authFunc(func(ctx context.Context, req *client.TokenRequest) error {
			if s := secret.Load(); s != nil {
				return client.Secret(*s).Authenticate(ctx, req)
			}
			return right.Authenticate(ctx, req)
		})
	})
	p.login()
	changed := r.changeSecret()
	p.expire()
	err := p.token()
	isConfiguration(t, err, "invalid_client")
	secret.Store(&changed)
	p.recovers()
	return ""
}

type authFunc func(context.Context, *client.TokenRequest) error

func (f authFunc) Authenticate(ctx context.Context, r *client.TokenRequest) error { return f(ctx, r) }

// changedKeys checks that an ID token by a key that nobody has seen before is
// verified, and does not end the grant.
func changedKeys(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	r.rotateKeys()
	for range 2 {
		before := p.stored()
		p.expire()
		p.works()
		// The signature is checked when the callers have their token.
		for began := time.Now(); p.stored().IDToken == before.IDToken; time.Sleep(50 * time.Millisecond) {
			if p.stored().Refused != nil || time.Since(began) > time.Minute {
				t.Fatalf("the new ID token was not verified; the grant has ended: %v", p.stored().Refused != nil)
			}
		}
	}
	var who struct {
		Sub string `json:"sub"`
	}
	if err := p.Claims(t.Context(), &who); err != nil || who.Sub == "" {
		t.Errorf("the new ID token is about %q, %v", who.Sub, err)
	}
	other := r.program(nil)
	other.login()
	newest := keyID(t, other.stored().IDToken)
	if first := keyID(t, p.stored().IDToken); first != newest {
		return "renewals go on to name the old key"
	}
	return ""
}

// keyID returns the kid of a JWT (RFC 7515 section 4.1.4).
func keyID(t *testing.T, token string) string {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	data, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var h struct {
		Kid string `json:"kid"`
	}
	if err := json.Unmarshal(data, &h); err != nil || h.Kid == "" {
		t.Fatalf("the head of the ID token: %s, %v", data, err)
	}
	return h.Kid
}

func restart(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	kept := p.stored().RefreshToken
	again := r.kill()
	p.expire()
	err := p.token()
	if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary {
		t.Errorf("while the server is down: %v", err)
	}
	if rec := p.stored(); rec.RefreshToken != kept || rec.Refused != nil {
		t.Error("a server that is down costs the grant")
	}
	again()
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err := p.token()
		if err == nil {
			break
		}
		if errors.Is(err, client.ErrLoginRequired) {
			p.login()
			p.works()
			return "it has forgotten the grant, and a login helps"
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("the server is back, and still: %v", err)
		}
	}
	p.works()
	return "nothing is lost"
}

func busy(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	p.expire()
	r.busy()
	err := p.token()
	if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary || e.RetryAfter < 0 {
		t.Fatalf("while the server is busy: %v", err)
	}
	p.recovers()
	return ""
}

// tokenRequest is the size from which on a request is one for tokens.
const tokenRequest = 200

// cut ends the connection in the middle of the next token request.
func (p *program) cut(m lab.Moment) {
	p.t.Helper()
	if p.r.lose != nil {
		p.r.lose(m == lab.BeforeAnswer)
		return
	}
	c := p.proxy.Cut(lab.Cut{Moment: m, Size: tokenRequest})
	p.t.Cleanup(func() {
		select {
		case <-c.Done():
		default:
			p.t.Errorf("the connection was not cut %v", m)
		}
	})
}

func requestLost(t *testing.T, r *running) string {
	for _, m := range []lab.Moment{lab.BeforeRequest, lab.InRequest} {
		if r.lose != nil && m == lab.InRequest {
			break // the same there
		}
		p := r.program(nil)
		p.login()
		p.expire()
		p.cut(m)
		p.recovers()
	}
	return ""
}

// answerLost is what nobody can mend: the server takes each token once, and what it
// gave in return is lost.
func answerLost(_ *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	p.expire()
	p.cut(lab.BeforeAnswer)
	return p.endedByLoss()
}

// endedByLoss checks that the grant is over, that the error says why, and that a
// login helps.
func (p *program) endedByLoss() (note string) {
	p.t.Helper()
	if err := p.ended(); !strings.Contains(err.Error(), "never received") {
		p.t.Errorf("the error does not say that an answer was lost: %v", err)
	}
	p.login()
	p.works()
	return "the grant ends, and the error says that an answer was lost"
}

func answerLostInGrace(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	p.expire()
	p.cut(lab.BeforeAnswer)
	p.works()
	if _, err := p.Refresh(t.Context(), nil); err != nil {
		t.Errorf("what came the second time does not renew: %v", err)
	}
	p.works()
	return ""
}
