package crash

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/integration/fleet"
)

const grace = time.Minute

// SurvivesKills kills holders of a rotation, at whatever instant: where the
// server takes a refresh token again for a while, the next process goes on, and
// nobody is asked to log in.
func (s Store) SurvivesKills(t *testing.T) {
	t.Helper()
	all := s.kill(t, forgiving(), kills(t), func(l *lane, f *fall) {
		if !f.report.OK() {
			l.t.Fatalf("killed %v, the next process fails after %v: %q", f.moment, f.recovery, f.report.Failures)
		}
	}, func(l *lane) { l.f.NobodyIsLoggedOut() })
	all.show(t)
	for _, m := range []moment{beforeSend, inFlight, unsaved, saved} {
		if all.hits[m] == 0 {
			t.Errorf("no kill has hit a holder %v", m)
		}
	}
}

// LosesOnlyTheUnavoidable kills holders of a rotation at a server that takes each
// refresh token once. If it has rotated the token, and the only process that was
// told so is dead, nothing can bring the grant back (it is the problem of the two
// generals); then the error says what happened. At any other instant nothing is
// lost.
func (s Store) LosesOnlyTheUnavoidable(t *testing.T) {
	t.Helper()
	all := s.kill(t, strict(), (kills(t)+2)/3, func(l *lane, f *fall) {
		switch {
		case f.unavoidable:
			l.lost++
			l.reportsTheLoss(&f.report)
			l.f.Login()
			l.recovers()
		case !f.report.OK():
			l.t.Fatalf("killed %v, the next process fails after %v: %q", f.moment, f.recovery, f.report.Failures)
		}
	}, func(l *lane) {
		if n := l.f.AS.Reused(); n != l.lost {
			l.t.Errorf("%d refresh tokens were refused as reused, for %d lost answers", n, l.lost)
		}
	})
	all.show(t)
	share := func(kind string, lost, unavoidable, kills int) {
		percent := func(n int) float64 { return 100 * float64(n) / float64(max(kills, 1)) }
		text := fmt.Sprintf("%d %s kills: %d grants lost (%.1f %%), %d unavoidable (%.1f %%)",
			kills, kind, lost, percent(lost), unavoidable, percent(unavoidable))
		t.Log(text)
		t.Attr("lost_by_"+kind+"_kills", text)
	}
	share("all", all.lost, all.unavoidable, all.kills())
	share("random", all.randomLost, all.randomUnavoidable, all.random)
	if all.lost != all.unavoidable {
		t.Error("more is lost than is unavoidable")
	}
	if all.lost == 0 || all.hits[beforeSend]+all.hits[inFlight] == 0 {
		t.Error("the kills have not hit both sides of the commit")
	}
}

// kill kills n holders in the midst of their rotations, in lanes that run at the
// same time, with a server of each kind. each looks at what came of a kill, and
// last at its lane after the last.
func (s Store) kill(t *testing.T, servers []server, n int, each func(*lane, *fall), last func(*lane)) *tally {
	t.Helper()
	var (
		all        tally
		aims       = aims()
		shot, hits atomic.Int64
		starting   sync.Mutex
		lanes      = min(max(len(servers), n/3), 16)
	)
	start := func(t *testing.T, server server) *lane { // one after the other: a machine has few processors
		starting.Lock()
		defer starting.Unlock()
		return s.newLane(t, server)
	}
	t.Run("lanes", func(t *testing.T) {
		for i := range lanes {
			server := servers[i%len(servers)]
			t.Run(server.name, func(t *testing.T) {
				t.Parallel()
				l := start(t, server)
				for hits.Load() < int64(n) {
					f := l.kill(aims[int(shot.Add(1))%len(aims)])
					all.add(&f)
					if f.counts() {
						hits.Add(1)
					}
					each(l, &f)
				}
				last(l)
			})
		}
	})
	return &all
}

// reportsTheLoss checks that a lost answer is not a mystery to its user.
func (l *lane) reportsTheLoss(r *fleet.Report) {
	l.t.Helper()
	if r.OK() || !r.LoginRequired || r.Code != "invalid_grant" || !strings.Contains(r.Failures[0], "never received") {
		l.t.Fatalf("the answer was lost, and the next process reports %+v", r)
	}
}

// recovers waits until the process that has seen the loss notices the login of
// somebody else.
func (l *lane) recovers() {
	l.t.Helper()
	for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		r := l.f.Tell(l.holder, fleet.Call)
		if r.OK() {
			return
		}
		if time.Since(began) > patience {
			l.t.Fatalf("somebody has logged in again, and the process still fails: %q", r.Failures)
		}
	}
}
