package processes_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// This is what x/oauth2 over one token file does not survive: all refresh with
// the same token, one wins, and a server that detects the reuse ends it for all.
func TestTwentyProcessesOnOneFilestoreSurviveEveryExpiry(t *testing.T) {
	const (
		processes = 20
		expiries  = 6
		lifetime  = 2 * time.Second
	)
	w := newWorld(t, func(o *clienttest.Options) { o.AccessTokenLifetime = lifetime })
	all := make([]*lab.Process, processes)
	for i := range all {
		all[i] = lab.Start(t, program, w.config)
	}
	for _, p := range all { // once all are up
		p.Send(rest)
		p.Receive(new(report))
	}
	w.login(t)
	began := time.Now()
	for _, p := range all {
		p.Send(work)
	}
	for w.as.RefreshCount() < expiries && time.Since(began) < time.Minute {
		time.Sleep(20 * time.Millisecond)
	}
	for _, p := range all {
		p.Send(rest)
	}
	var calls int
	for _, p := range all {
		var r report
		p.Receive(&r)
		if !r.ok() {
			t.Errorf("process %d: %d calls, failures: %q", p.PID(), r.Calls, r.Failures)
		}
		calls += r.Calls
	}
	took := time.Since(began)
	for _, p := range all {
		p.Close()
	}

	w.nobodyLoggedIn(t)
	w.eachTokenWasSpentOnce(t)
	renewals := w.as.RefreshCount()
	if renewals < expiries {
		t.Errorf("%d renewals in %v, so the test has not seen %d expiries", renewals, took, expiries)
	}
	// An access token is renewed when a quarter of its life is left.
	if most := int(took/(lifetime*3/4)) + 1; renewals > most {
		t.Errorf("%d renewals in %v: there were %d expiries at most", renewals, took, most)
	}
	t.Logf("%d processes, %d calls in %v: %d token requests for %d expiries", processes, calls, took.Round(time.Millisecond), renewals, renewals)
	t.Attr("token_requests_per_expiry", fmt.Sprintf("%d/%d", renewals, renewals))
}

// eachTokenWasSpentOnce checks that every refresh token but the newest was
// presented to the server exactly once.
func (w *world) eachTokenWasSpentOnce(t *testing.T) {
	t.Helper()
	for _, x := range w.as.Exchanges() {
		if x.GrantType != "refresh_token" {
			continue
		}
		if n := w.as.Presented(x.RefreshToken); n != 1 {
			t.Errorf("the refresh token of generation %d was presented %d times", x.Generation, n)
		}
		if x.Outcome != clienttest.Accepted {
			t.Errorf("the refresh token of generation %d: %v %s", x.Generation, x.Outcome, x.Error)
		}
	}
	if newest := w.stored(t); newest.RefreshToken != w.as.LiveRefreshToken(account) {
		t.Error("the refresh token that is stored is not the one that lives")
	}
}
