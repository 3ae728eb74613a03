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
		{name: "login by browser", tell: byBrowser, settings: slow, listens: true},
		{name: "login by device", tell: byDevice, settings: slow, offered: has("device_authorization_endpoint", "")},
		{name: "login by password", tell: byPassword, settings: slow, offered: func(r *running) bool { return r.password != "" }},
		{name: "login by paste", tell: byPaste, settings: slow},
		{name: "login on the web", tell: byWeb, settings: slow},
		{name: "the user refuses in the browser", tell: browserRefused, listens: true},
		{name: "the user refuses a device", tell: deviceRefused},
		{name: "a login brings no refresh token", tell: withoutRefreshToken},
		{name: "ten expiries, processes with many callers", tell: tenExpiries},
		{name: "the same user logs in to a second program", tell: twice},
		{name: "the granted scopes are known", tell: scopes},
		{name: "logout", tell: logout},
		{name: "a copy of the token is used before us", tell: copyUsed},
		{name: "an old token is used again", tell: oldUsed},
		{name: "somebody else revokes the grant", tell: revoked, offered: func(r *running) bool { return r.revoke != nil || has("revocation_endpoint", "")(r) }},
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

func call(c *lab.Child) error {
	var cfg callerConfig
	if err := c.Receive(&cfg); err != nil {
		return err
	}
	conf, err := cfg.Place.in(client.Config{Issuer: cfg.Issuer, ClientID: cfg.ClientID})
	if err != nil {
		return err
	}
	report, err := callUntil(conf, cfg.API, 100*time.Millisecond, func() {
		var ignored any
		_ = c.Receive(&ignored) // the end
	})
	if err != nil {
		return err
	}
	return c.Report(report)
}

// callUntil is a program of four goroutines that call the API, until wait returns.
func callUntil(conf client.Config, api string, pause time.Duration, wait func()) (callerReport, error) {
	var report callerReport
	var renewals atomic.Int32
	conf.OnEvent = func(_ context.Context, e client.Event) {
		if e.Kind == client.Renewed {
			renewals.Add(1)
		}
	}
	owner, err := client.New(conf)
	if err != nil {
		return report, err
	}
	me := owner.Account("alice")
	ctx, stop := context.WithCancel(context.Background())
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				err := asks(context.Background(), me, api)
				mu.Lock()
				report.Calls++
				if err != nil && len(report.Failures) < 5 {
					report.Failures = append(report.Failures, err.Error())
				}
				mu.Unlock()
				time.Sleep(pause)
			}
		})
	}
	wait()
	stop()
	all.Wait()
	if err := owner.Close(); err != nil {
		return report, err
	}
	report.Renewals = int(renewals.Load())
	return report, nil
}

// calls starts a caller: a process, or a program in the bubble.
func (p *program) calls() (enough func(), report func() callerReport) {
	p.t.Helper()
	api := p.r.endpoint("userinfo_endpoint")
	if p.r.web == nil {
		c := lab.Start(p.t, caller, callerConfig{p.r.issuer, p.cfg.ClientID, api, p.place})
		return func() { c.Send("enough") }, func() (report callerReport) {
			c.Receive(&report)
			c.Close()
			return report
		}
	}
	end, done := make(chan struct{}), make(chan callerReport)
	go func() {
		report, err := callUntil(p.cfg, api, p.r.lifetime/5, func() { <-end })
		if err != nil {
			report.Failures = append(report.Failures, err.Error())
		}
		done <- report
	}()
	return func() { close(end) }, func() callerReport { return <-done }
}

func tenExpiries(t *testing.T, r *running) string {
	const processes, expiries = 3, 10
	p := r.program(nil)
	p.login()
	var enough []func()
	var reports []func() callerReport
	for range processes {
		e, report := p.calls()
		enough, reports = append(enough, e), append(reports, report)
	}
	for began := time.Now(); p.stored().Generation < expiries; time.Sleep(r.lifetime / 5) {
		if d := time.Since(began); d > 60*r.lifetime {
			t.Fatalf("only %d renewals in %v", p.stored().Generation, d)
		}
	}
	for _, e := range enough {
		e()
	}
	calls, renewals := 0, 0
	for i, report := range reports {
		got := report()
		if got.Failures != nil || got.Calls == 0 {
			t.Errorf("caller %d: %d calls, failures: %q", i, got.Calls, got.Failures)
		}
		calls, renewals = calls+got.Calls, renewals+got.Renewals
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

func revoked(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	if token := p.stored().RefreshToken; r.revoke != nil {
		r.revoke(token)
	} else if status, _ := r.post("revocation_endpoint", map[string][]string{"token": {token}}); status != 200 {
		t.Fatalf("the revocation endpoint answers %d", status)
	}
	p.expire()
	_ = p.ended()
	r.another(p.cfg, p.place).login() // in another program
	p.recovers()
	return ""
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
