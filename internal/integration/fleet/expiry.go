package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// SurvivesEveryExpiry lets twenty processes use one grant through several
// expiries, at a server that ends the grant if a refresh token comes twice. All
// of them survive, and each expiry costs one token request.
func SurvivesEveryExpiry(t *testing.T, open Open, place string) {
	t.Helper()
	const (
		processes = 20
		expiries  = 4
		lifetime  = 2 * time.Second
	)
	f := New(t, open, place, func(o *clienttest.Options) { o.AccessTokenLifetime = lifetime })
	all := f.StartMany(processes)
	f.Expire()
	began := time.Now()
	for _, p := range all {
		p.Send(Work)
	}
	for f.AS.RefreshCount() < expiries && time.Since(began) < time.Minute {
		time.Sleep(20 * time.Millisecond)
	}
	for _, p := range all {
		p.Send(Rest)
	}
	calls := 0
	for _, p := range all {
		var r Report
		if p.Receive(&r); !r.OK() {
			t.Errorf("process %d: %d calls, failures: %q", p.PID(), r.Calls, r.Failures)
		}
		calls += r.Calls
	}
	took := time.Since(began)
	for _, p := range all {
		p.Close()
	}

	f.NothingIsLost()
	f.EachTokenWasSpentOnce()
	renewals := f.AS.RefreshCount()
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
