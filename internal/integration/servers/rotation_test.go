package servers_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
)

// shortLived makes access tokens end after two seconds.
const shortLived = "AT_TTL=2"

// expire waits until a shortLived access token has ended.
func expire() { time.Sleep(2100 * time.Millisecond) }

func TestOneLoginByBrowserLastsThroughEveryExpiry(t *testing.T) {
	t.Parallel()
	const programs, callers, expiries = 3, 4, 4
	p := lab.StartOIDCProvider(t, shortLived)
	cfg := configFor(t, p)
	me := open(t, cfg)
	if err := me.Ensure(patient(t), browser(t)); err != nil {
		t.Fatal(err)
	}
	var who struct {
		Sub string `json:"sub"`
	}
	if err := me.Claims(t.Context(), &who); err != nil || who.Sub != "alice" {
		t.Errorf("the ID token is about %q, %v", who.Sub, err)
	}
	current := newest(t, p)

	// Programs over one store, with several callers each.
	began := time.Now()
	var all sync.WaitGroup
	for range programs {
		me := open(t, cfg)
		for range callers {
			all.Go(func() {
				for time.Since(began) < expiries*2*time.Second {
					works(t, p, me)
					time.Sleep(50 * time.Millisecond)
				}
			})
		}
	}
	all.Wait()

	rotations := tokenRequests(t, p)
	for i, r := range rotations {
		if r.Spent != current || r.Status != 200 || r.Issued == "" || r.Issued == current {
			t.Errorf("renewal %d: the newest refresh token was spent: %v; status %d; it was replaced: %v",
				i+1, r.Spent == current, r.Status, r.Issued != "" && r.Issued != current)
		}
		current = r.Issued
	}
	if len(rotations) < expiries-1 {
		t.Errorf("only %d renewals in %v", len(rotations), time.Since(began))
	}
	t.Attr("token_requests", fmt.Sprint(len(rotations)))

	// What was just renewed costs a new program nothing.
	if _, err := me.Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	tokenRequests(t, p)
	works(t, p, open(t, cfg))
	if n := len(tokenRequests(t, p)); n != 0 {
		t.Errorf("a new program made %d token requests for a fresh token", n)
	}
}

func TestAWrongSecretIsAnErrorOfTheConfigurationAndCostsNothing(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, shortLived)
	cfg := configFor(t, p)
	cfg.ClientID, cfg.Auth = lab.BasicClient, client.Secret(lab.BasicSecret)
	me := open(t, cfg)
	login(t, me)
	expire()

	wrong := cfg
	wrong.Auth = client.Secret("not the secret")
	_, err := open(t, wrong).Token(t.Context())
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "invalid_client" || e.Temporary || errors.Is(err, client.ErrLoginRequired) {
		t.Errorf("with a wrong secret: %v", err)
	}
	works(t, p, me)
}

func TestAGrantThatSomebodyElseRevokesNeedsALoginAndAnyLoginHelps(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, shortLived)
	cfg := configFor(t, p)
	me := open(t, cfg)
	login(t, me)
	token := newest(t, p)
	if status, _ := post(t, p.URL("/token/revocation"), url.Values{"token": {token}, "client_id": {lab.PublicClient}}); status != 200 {
		t.Fatalf("the revocation endpoint answers %d", status)
	}
	expire()
	refused(t, me)

	login(t, open(t, cfg)) // in another program
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		_, err := me.Token(t.Context())
		if err == nil {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("somebody has logged in again, and still: %v", err)
		}
	}
	works(t, p, me)
}

// Somebody has copied the refresh token, and uses it first.
func TestAReplayBehindOurBackEndsTheGrantForBoth(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, shortLived)
	me := open(t, configFor(t, p))
	login(t, me)
	status, stolen := post(t, p.URL("/token"), refreshOf(newest(t, p)))
	if status != 200 || stolen.RefreshToken == "" {
		t.Fatalf("the thief gets status %d", status)
	}
	expire()
	if err := refused(t, me); strings.Contains(err.Error(), "never received") {
		t.Errorf("no answer was lost, but the error says so: %v", err)
	}
	if status, _ := post(t, p.URL("/token"), refreshOf(stolen.RefreshToken)); status != 400 {
		t.Errorf("the thief goes on: status %d", status)
	}
}

// The connection breaks when the server has rotated the token. There is no grace
// period, so the second try is a reuse.
func TestAnAnswerThatIsLostAfterTheCommitIsReportedAsLost(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, shortLived)
	me := open(t, configFor(t, p))
	login(t, me)
	expire()
	p.Fail(lab.Fault{Path: "/token", Mode: "drop-after", N: 1})
	if err := refused(t, me); !strings.Contains(err.Error(), "never received") {
		t.Errorf("the error does not say that an answer was lost: %v", err)
	}
}

// The connection breaks before the server has seen the request.
func TestARequestThatIsLostIsSentAgain(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, shortLived)
	me := open(t, configFor(t, p))
	login(t, me)
	expire()
	p.Fail(lab.Fault{Path: "/token", Mode: "drop-before", N: 1})
	works(t, p, me)
}

func TestAServerThatIsBusyCostsNothing(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, shortLived)
	me := open(t, configFor(t, p))
	login(t, me)
	expire()
	p.Fail(lab.Fault{Path: "/token", Mode: "status", Status: 503, N: 1})
	_, err := me.Token(t.Context())
	e, ok := errors.AsType[*client.Error](err)
	if !ok || !e.Temporary || e.RetryAfter < 0 {
		t.Fatalf("while the server is busy: %v", err)
	}
	time.Sleep(2 * time.Second) // the back-off
	works(t, p, me)
}

// refused checks that the server has declared the grant dead, for good.
func refused(t *testing.T, me *client.Account) error {
	t.Helper()
	_, err := me.Token(t.Context())
	if e, ok := errors.AsType[*client.Error](err); !ok || !errors.Is(err, client.ErrLoginRequired) || e.Code != "invalid_grant" || e.Temporary {
		t.Fatalf("the grant has ended, and the error is %v", err)
	}
	return err
}
