package processes_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// Whatever instant of its rotation a process dies at: where the server takes a
// refresh token again for a while, the next process goes on, and nobody is asked
// to log in.
func TestKillingTheHolderAHundredTimesCostsNoLoginAtAServerWithAGracePeriod(t *testing.T) {
	t.Parallel()
	var all tally
	t.Run("lanes", func(t *testing.T) {
		for _, c := range []struct {
			name  string
			set   func(*clienttest.Options)
			kills int
		}{
			{"a new pair each time 1", newPair, 13},
			{"a new pair each time 2", newPair, 13},
			{"the same pair again 1", samePair, 13},
			{"the same pair again 2", samePair, 13},
			{"one slot 1", oneSlot, 12},
			{"one slot 2", oneSlot, 12},
			{"commit on use 1", commitOnUse, 12},
			{"commit on use 2", commitOnUse, 12},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				l := newLane(t, c.set)
				for kills := 0; kills < c.kills; {
					f := l.kill(aims[rand.IntN(len(aims))])
					all.add(&f)
					if !f.report.ok() {
						t.Fatalf("killed %v, the next process fails after %v: %q", f.moment, f.recovery, f.report.Failures)
					}
					if f.counts() {
						kills++
					}
				}
				l.w.nobodyLoggedIn(t)
			})
		}
	})
	all.show(t)
	for _, m := range []moment{beforeSend, inFlight, unsaved, saved} {
		if all.hits[m] == 0 {
			t.Errorf("no kill has hit a holder %v", m)
		}
	}
}

const grace = time.Minute

func newPair(o *clienttest.Options)     { o.Grace, o.InGrace = grace, clienttest.NewPair }
func samePair(o *clienttest.Options)    { o.Grace, o.InGrace = grace, clienttest.SamePair }
func oneSlot(o *clienttest.Options)     { o.Grace, o.InGrace = grace, clienttest.OneSlot }
func commitOnUse(o *clienttest.Options) { o.Rotation = clienttest.CommitOnUse }
func strict(*clienttest.Options)        {} // a second use ends the family

// A server without a grace period has rotated the token, and the only process
// that was told so is dead: nothing can bring the grant back (it is the problem
// of the two generals). Then the error says what happened. At any other instant
// nothing is lost.
func TestKillingTheHolderLosesAGrantOnlyWithItsAnswer(t *testing.T) {
	t.Parallel()
	const lanes, kills = 5, 6
	aims := append([]func(*lane) aim{onTheWay, onTheWay}, aims...)
	var all tally
	t.Run("lanes", func(t *testing.T) {
		for range lanes {
			t.Run("strict", func(t *testing.T) {
				t.Parallel()
				l := newLane(t, strict)
				lost := 0
				for n := 0; n < kills; {
					f := l.kill(aims[rand.IntN(len(aims))])
					all.add(&f)
					if f.counts() {
						n++
					}
					if !f.fatal() {
						if !f.report.ok() {
							t.Fatalf("killed %v, the next process fails after %v: %q", f.moment, f.recovery, f.report.Failures)
						}
						continue
					}
					lost++
					l.reportsTheLoss(&f.report)
					l.w.login(t)
					l.recovers()
				}
				if n := l.w.as.Reused(); n != lost {
					t.Errorf("%d refresh tokens were refused as reused, for %d lost answers", n, lost)
				}
			})
		}
	})
	all.show(t)
	if all.lost == 0 || all.hits[beforeSend]+all.hits[inFlight] == 0 {
		t.Error("the kills have not hit both sides of the commit")
	}
}

// reportsTheLoss checks that a lost answer is not a mystery to its user.
func (l *lane) reportsTheLoss(r *report) {
	l.t.Helper()
	if r.ok() || !r.LoginRequired || r.Code != "invalid_grant" || !strings.Contains(r.Failures[0], "never received") {
		l.t.Fatalf("the answer was lost, and the next process reports %+v", r)
	}
}

// recovers waits until the process that has seen the loss notices the login of
// somebody else.
func (l *lane) recovers() {
	l.t.Helper()
	for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		r := l.call(l.holder)
		if r.ok() {
			return
		}
		if time.Since(began) > 10*time.Second {
			l.t.Fatalf("somebody has logged in again, and the process still fails: %q", r.Failures)
		}
	}
}
