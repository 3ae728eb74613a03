package servers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
)

func stories() []story {
	has := advertises
	slow := settings{lifetime: 30}
	return []story{
		{name: "login by browser", tell: byBrowser, settings: slow},
		{name: "login by device", tell: byDevice, settings: slow, offered: has("device_authorization_endpoint", "")},
		{name: "login by password", tell: byPassword, settings: slow, offered: func(r *running) bool { return r.password != "" }},
		{name: "login by paste", tell: byPaste, settings: slow},
		{name: "login on the web", tell: byWeb, settings: slow},
		{name: "the user refuses in the browser", tell: browserRefused},
		{name: "the user refuses a device", tell: deviceRefused},
		{name: "a login brings no refresh token", tell: withoutRefreshToken},
		{name: "ten expiries, processes with many callers", tell: tenExpiries},
		{name: "the same user logs in to a second program", tell: twice},
		{name: "the granted scopes are known", tell: scopes},
		{name: "logout", tell: logout},
		{name: "a copy of the token is used before us", tell: copyUsed},
		{name: "an old token is used again", tell: oldUsed},
		{name: "somebody else revokes the grant", tell: revoked, offered: has("revocation_endpoint", "")},
		{name: "a wrong secret", tell: wrongSecret},
		{name: "the secret is changed", tell: changedSecret, offered: func(r *running) bool { return r.changeSecret != nil }},
		{name: "the signing keys are changed", tell: changedKeys, offered: func(r *running) bool { return r.rotateKeys != nil }},
		{name: "the server is killed and restarted", tell: restart, settings: settings{alone: true}},
		{name: "the server is busy", tell: busy, offered: func(r *running) bool { return r.busy != nil }},
		{name: "a request is lost", tell: requestLost},
		{name: "an answer is lost, without a grace period", tell: answerLost},
		{name: "an answer is lost within a grace period", tell: answerLostInGrace, settings: settings{grace: 30}},
		{name: "parallel renewals within a grace period", tell: parallelInGrace, settings: settings{grace: 30}},
	}
}

// caller is a process whose goroutines call the API until it is told to end.
const caller = "caller"

type callerConfig struct {
	Issuer, ClientID, API string
	Place                 place
}

type callerReport struct {
	Calls, Renewals int
	Failures        []string
}

const callersPerProcess = 4

func call(c *lab.Child) error {
	var cfg callerConfig
	if err := c.Receive(&cfg); err != nil {
		return err
	}
	var report callerReport
	var renewals atomic.Int32
	conf, err := cfg.Place.in(client.Config{Issuer: cfg.Issuer, ClientID: cfg.ClientID, OnEvent: func(_ context.Context, e client.Event) {
		if e.Kind == client.Renewed {
			renewals.Add(1)
		}
	}})
	if err != nil {
		return err
	}
	owner, err := client.New(conf)
	if err != nil {
		return err
	}
	me := owner.Account("alice")
	ctx, stop := context.WithCancel(context.Background())
	var mu sync.Mutex
	var all sync.WaitGroup
	for range callersPerProcess {
		all.Go(func() {
			for ctx.Err() == nil {
				err := asks(context.Background(), me, cfg.API)
				mu.Lock()
				report.Calls++
				if err != nil && len(report.Failures) < 5 {
					report.Failures = append(report.Failures, err.Error())
				}
				mu.Unlock()
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	var ignored any
	_ = c.Receive(&ignored) // the end
	stop()
	all.Wait()
	if err := owner.Close(); err != nil {
		return err
	}
	report.Renewals = int(renewals.Load())
	return c.Report(report)
}

func tenExpiries(t *testing.T, r *running) string {
	const processes, expiries = 3, 10
	p := r.program(nil)
	p.login()
	config := callerConfig{r.issuer, p.cfg.ClientID, r.endpoint("userinfo_endpoint"), p.place}
	var all []*lab.Process
	for range processes {
		all = append(all, lab.Start(t, caller, config))
	}
	for began := time.Now(); p.stored().Generation < expiries; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("only %d renewals in %v", p.stored().Generation, time.Since(began))
		}
	}
	for _, c := range all {
		c.Send("enough")
	}
	calls, renewals := 0, 0
	for _, c := range all {
		var report callerReport
		c.Receive(&report)
		c.Close()
		if report.Failures != nil || report.Calls == 0 {
			t.Errorf("process %d: %d calls, failures: %q", c.PID(), report.Calls, report.Failures)
		}
		calls, renewals = calls+report.Calls, renewals+report.Renewals
	}
	// Each renewal adds one to the generation. Two at one expiry would show.
	if got := p.stored().Generation; int(got) != renewals {
		t.Errorf("%d renewals have brought generation %d", renewals, got)
	}
	t.Logf("%d calls of %d processes, %d renewals", calls, processes, renewals)
	p.works()
	return ""
}

// scopes checks that what the server granted stays known, whatever its answers to
// renewals say, or leave out (RFC 6749 section 5.1).
func scopes(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	first, err := p.Status(t.Context())
	if err != nil || !slices.Contains(first.Scopes, "openid") || !slices.Contains(first.Scopes, "offline_access") {
		t.Errorf("after the login: %q, %v", first.Scopes, err)
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
	if _, ok := r.refresh(old); ok {
		t.Error("the old token was taken")
	}
	p.expire()
	if !p.endsOrWorks() {
		return "ours goes on"
	}
	p.login()
	p.works()
	return "the grant ends, and says so"
}

func revoked(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	status, _ := r.post("revocation_endpoint", map[string][]string{"token": {p.stored().RefreshToken}})
	if status != 200 {
		t.Fatalf("the revocation endpoint answers %d", status)
	}
	p.expire()
	_ = p.ended()
	r.another(p.cfg, p.place).login() // in another program
	p.recovers()
	return ""
}

// parallelInGrace is what a grace period is for: others use the same token at once.
func parallelInGrace(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	spent := p.stored().RefreshToken
	if _, ok := r.refresh(spent); !ok {
		t.Fatal("the copy does not work, so there is nothing to tell")
	}
	p.expire()
	p.works()
	if _, ok := r.refresh(spent); !ok {
		t.Error("within the grace period the old token is refused")
	}
	if _, err := p.Refresh(t.Context(), nil); err != nil {
		t.Errorf("our own token is refused: %v", err)
	}
	p.works()
	return ""
}

// isConfiguration checks that a human has to change something, and that the user is
// not bothered.
func isConfiguration(t *testing.T, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != code || e.Temporary || errors.Is(err, client.ErrLoginRequired) {
		t.Errorf("the error is %v", err)
	}
}
