//go:build unix

package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// TellsOfAStoppedHolder stops a process in the middle of its rotation, for longer
// than its lease, where the server takes no refresh token twice. The other process cannot know that the token was spent, and
// spends it again. What comes of that is up to the server:
//
//   - It refuses the token, and no more: the holder saves what it has got when it
//     wakes, and nobody needs to log in.
//   - It ends the grant: nobody can prevent that. Both are told that a login is
//     required, and it heals both.
//
// The other process is told why: an answer was never received. No other token is
// spent twice.
func TellsOfAStoppedHolder(t *testing.T, open Open, place func() string) {
	t.Helper()
	for server, rotation := range map[string]clienttest.Rotation{
		"refuses the token": clienttest.RefuseReuse,
		"ends the grant":    clienttest.RevokeFamily,
	} {
		for instant, hold := range instants {
			t.Run("the server "+server+", stopped "+instant, func(t *testing.T) {
				t.Parallel()
				f := New(t, open, place(), func(o *clienttest.Options) {
					o.AccessTokenLifetime = 2 * time.Second
					o.Rotation = rotation
				})
				f.RenewAfter(2 * time.Second) // a disk may take that long for the save that comes before the call
				first := f.Stored().RefreshToken
				holder, other, got := f.stopAHolder(hold)
				got.needsLogin(t, "the other process")
				if text := strings.Join(got.Failures, ""); !strings.Contains(text, "never received") {
					t.Errorf("the other process is not told why: %s", text)
				}
				if rec := f.Stored(); rec.Refused == nil || rec.Unanswered == nil || rec.RefreshToken != first {
					t.Error("the record does not tell that its token was refused, and that an answer was never received")
				}

				holder.Continue()
				var woken Report
				holder.Receive(&woken)
				if rotation == clienttest.RefuseReuse {
					if !woken.OK() {
						t.Errorf("the holder, when it wakes: %q", woken.Failures)
					}
				} else {
					if woken.Calls != 0 {
						t.Error("the holder works with a grant that the server has ended")
					}
					// What it got before it was stopped is refused by the API, like
					// any token that was revoked. Now it knows.
					holder.Send(Call)
					woken = Report{}
					holder.Receive(&woken)
					woken.needsLogin(t, "the holder, when it has woken")
					if f.AS.FamilyAlive(account) {
						t.Error("the server has not ended the grant: what was tested?")
					}
					f.Login()
				}
				f.heals(holder)
				f.heals(other)
				if f.Stored().RefreshToken != f.AS.LiveRefreshToken(account) {
					t.Error("the refresh token that is stored is not the newest that lives")
				}
				f.onlySpentTwice(first)
			})
		}
	}
}

// needsLogin checks that the call of the report failed for want of a login, and
// with the server's code.
func (r *Report) needsLogin(t *testing.T, who string) {
	t.Helper()
	if r.Calls != 0 || !r.LoginRequired || r.Code != "invalid_grant" {
		t.Errorf("%s: %d calls, code %q, failures %q", who, r.Calls, r.Code, r.Failures)
	}
}

// heals waits until a process works again: a process that was told that a login is
// required looks again every few seconds.
func (f *Fleet) heals(p *lab.Process) {
	f.t.Helper()
	var r Report
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(time.Second) {
		r = Report{}
		p.Send(Call)
		if p.Receive(&r); r.OK() {
			return
		}
	}
	f.t.Errorf("process %d does not work again: %q", p.PID(), r.Failures)
}

// onlySpentTwice checks that the server has seen this refresh token twice, and no
// other one more than once.
func (f *Fleet) onlySpentTwice(token string) {
	f.t.Helper()
	for _, x := range f.AS.Exchanges() {
		if x.GrantType != "refresh_token" {
			continue
		}
		want := 1
		if x.RefreshToken == token {
			want = 2
		}
		if n := f.AS.Presented(x.RefreshToken); n != want {
			f.t.Errorf("the refresh token of generation %d was presented %d times: %v %s", x.Generation, n, x.Outcome, x.Error)
		}
	}
	if n := f.AS.Reused(); n != 1 {
		f.t.Errorf("%d refresh tokens were refused as reused", n)
	}
}
