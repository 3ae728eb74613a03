package servers_test

import (
	"errors"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// profileStories are told of providers alone: what they show takes days, or is known
// from the table.
func profileStories() []story {
	return []story{
		{name: "three answers are lost", tell: answersLost},
		{name: "KeepAlive", tell: keptAlive},
		{name: "forecast", tell: forecast},
	}
}

// answersLost is a bad day of the network. Where it is known that a token is taken
// again, nobody notices; elsewhere each repeat is a risk, which is taken once.
func answersLost(t *testing.T, r *running) string {
	const n = 3
	p := r.program(nil)
	p.login()
	p.expire()
	before := r.played.RefreshCount()
	r.played.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, n)
	err := p.token()
	if r.profile.Repeats() > 2*n*time.Second {
		if err != nil {
			t.Error(err)
		}
		p.works()
		if got := r.played.RefreshCount() - before; got != n+1 {
			t.Errorf("%d refreshes, want %d", got, n+1)
		}
		return ""
	}
	if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary {
		t.Errorf("got %v, want a temporary error", err)
	}
	r.played.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
	time.Sleep(time.Minute) // the longest back-off
	if plays(r.profile) > 2*time.Minute {
		p.works()
		return "after a pause"
	}
	return p.endedByLoss()
}

func keptAlive(t *testing.T, r *running) string {
	p := r.program(nil)
	p.login()
	for range 3 { // longer than the first refresh token lives
		time.Sleep(r.profile.Idle/2 + time.Hour)
		before := r.played.RefreshCount()
		if err := p.owner.KeepAlive(t.Context(), 0); err != nil {
			t.Error(err)
		}
		if n := r.played.RefreshCount() - before; n != 1 {
			t.Errorf("KeepAlive has renewed %d times, want once", n)
		}
	}
	p.works()
	return ""
}

func forecast(t *testing.T, r *running) string {
	began := time.Now()
	p := r.program(nil)
	p.login()
	p.expire()
	p.works()
	status, err := p.Status(t.Context())
	if d := status.GrantExpiry.Sub(began.Add(r.profile.Absolute)).Abs(); err != nil || d > time.Minute {
		t.Errorf("the grant is said to end %v, %v off; %v", status.GrantExpiry, d, err)
	}
	return ""
}

// tellsOthers checks that other programs learn of the end of a grant from the store,
// and do not ask the server again.
func (p *program) tellsOthers() (note string) {
	p.t.Helper()
	if p.r.profile.Answer.ErrorNone != "" {
		return "told to this program alone, since a dead token has no error of its own"
	}
	n := p.r.played.RefreshCount()
	_ = p.r.another(p.cfg, p.place).ended()
	if p.r.played.RefreshCount() != n {
		p.t.Error("another program has asked the server again")
	}
	return ""
}
