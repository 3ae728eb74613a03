package client

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/internal/record"
)

func TestAMomentIsReachedOnEitherClock(t *testing.T) {
	now := time.Now()
	m := momentAt(now, time.Hour)
	// A wall clock that runs on while the monotonic clock sleeps, and one that
	// was set back, cannot be had from a time.Time: take the other half away.
	asleep := moment{mono: now.Add(time.Hour), wall: now.Add(time.Minute).UnixNano()}
	setBack := moment{mono: now.Add(time.Minute), wall: now.Add(time.Hour).UnixNano()}
	for _, c := range []struct {
		name string
		m    moment
		now  time.Time
		want bool
	}{
		{"before", m, now.Add(time.Hour - 1), false},
		{"at it", m, now.Add(time.Hour), true},
		{"after", m, now.Add(2 * time.Hour), true},
		{"the machine was asleep", asleep, now.Add(time.Minute), true},
		{"the clock was set back", setBack, now.Add(time.Minute), true},
		{"neither", asleep, now.Add(time.Minute - 1), false},
		{"the zero moment", moment{}, now.Add(100 * 365 * 24 * time.Hour), false},
		{"in 292 years", momentAt(now, 1<<63-1), now, false},
		{"in the past", momentAt(now, -time.Hour), now, true},
		{"long ago", momentAt(now, -1<<63), now, true},
	} {
		if got := c.m.reached(c.now); got != c.want {
			t.Errorf("%s: reached is %v, want %v", c.name, got, c.want)
		}
	}
}

// kept is a record of a token that was obtained age ago.
func kept(lifetime, age time.Duration) *record.Record {
	renewed := time.Now().Add(-age).Round(0)
	return &record.Record{
		Grant: "g", AccessToken: "at", TokenType: "Bearer", RefreshToken: "rt",
		Renewed: renewed, Lifetime: lifetime, Expiry: renewed.Add(lifetime),
	}
}

func TestATokenIsRenewedInTheLastQuarterAndNeverUsedAtItsEnd(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, lifetime := range []time.Duration{
		time.Nanosecond, time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, time.Minute, 100 * time.Second,
		20 * time.Minute, time.Hour, 8 * time.Hour, 24 * time.Hour, year, 10 * year,
	} {
		for _, early := range []time.Duration{0, 1, time.Second, 5 * time.Second, 11 * time.Second, time.Minute, time.Hour, 100 * year} {
			t.Run(lifetime.String()+" early "+early.String(), func(t *testing.T) {
				for range 50 { // the jitter is random
					now := time.Now()
					s := newSnapshot(kept(lifetime, 0), early, now)
					renew, end := s.renew.mono.Sub(now), s.end.mono.Sub(now)

					first := lifetime - min(lifetime/4, 5*time.Minute)
					if early > 0 {
						first = lifetime - max(min(early, lifetime/2), min(lifetime/10, 10*time.Second))
					}
					// The clock has moved since kept: at most this far.
					const slack = 10 * time.Millisecond
					if renew < first-slack || renew > end {
						t.Fatalf("renewed after %v, want between %v and %v", renew, first, end)
					}
					if early == 0 && renew < lifetime/10*7-slack {
						t.Fatalf("renewed after %v, before 70%% of its life", renew)
					}
					if want := lifetime - min(lifetime/10, 10*time.Second); end > want || end < want-slack {
						t.Fatalf("used for %v, want %v", end, want)
					}
				}
			})
		}
	}
}

func TestTokensThatWereIssuedTogetherAreNotRenewedTogether(t *testing.T) {
	now := time.Now()
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[newSnapshot(kept(time.Hour, 0), 0, now).renew.mono.Sub(now).Round(time.Second)] = true
	}
	if len(seen) < 20 {
		t.Errorf("100 tokens are renewed at %d different seconds", len(seen))
	}
}

func TestWhatIsLeftOfATokenCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name           string
			age            time.Duration
			fresh, working bool
		}{
			{"just obtained", 0, true, true},
			{"half-way", 30 * time.Minute, true, true},
			{"before the window", 54*time.Minute + 59*time.Second, true, true},
			{"after the window and its jitter", 56*time.Minute + time.Second, false, true},
			{"ten seconds before its end", 59*time.Minute + 50*time.Second, false, false},
			{"expired", 2 * time.Hour, false, false},
			{"expired for ages", 200 * 365 * 24 * time.Hour, false, false},
			{"of the future: another machine's clock", -24 * time.Hour, true, true},
		} {
			s := newSnapshot(kept(time.Hour, c.age), 0, time.Now())
			if fresh, working := s.fresh(time.Now()), s.working(time.Now()); fresh != c.fresh || working != c.working {
				t.Errorf("%s: fresh %v working %v, want %v %v", c.name, fresh, working, c.fresh, c.working)
			}
		}
		// Whatever another machine wrote, no token is used for longer than it lives.
		s := newSnapshot(kept(time.Hour, -24*time.Hour), 0, time.Now())
		time.Sleep(time.Hour)
		if s.working(time.Now()) {
			t.Error("a token from the future is used after its lifetime")
		}
	})
}

func TestATokenWithoutALifetimeIsFreshUntilSomebodyRefusesIt(t *testing.T) {
	rec := kept(0, 0)
	rec.Expiry = time.Time{}
	s := newSnapshot(rec, time.Hour, time.Now())
	later := time.Now().Add(50 * 365 * 24 * time.Hour)
	if !s.fresh(later) || !s.working(later) || !s.token.Expiry.IsZero() {
		t.Errorf("fresh %v working %v expiry %v", s.fresh(later), s.working(later), s.token.Expiry)
	}
	rec.Refused = &record.Refused{Code: "invalid_grant"}
	if newSnapshot(rec, 0, time.Now()) != nil {
		t.Error("the grant was refused, and a token of no known end is handed out")
	}
}

func TestATokenThatStillLivesIsServedAfterARefusal(t *testing.T) {
	rec := kept(time.Hour, 0)
	rec.Refused = &record.Refused{Code: "invalid_grant"}
	if s := newSnapshot(rec, 0, time.Now()); !s.working(time.Now()) {
		t.Error("an access token that works is not served")
	}
}

func TestWithoutAnAccessTokenThereIsNoSnapshot(t *testing.T) {
	for name, rec := range map[string]*record.Record{"no record": nil, "no token": {Grant: "g", RefreshToken: "rt"}} {
		if s := newSnapshot(rec, 0, time.Now()); s != nil || s.fresh(time.Now()) || s.working(time.Now()) {
			t.Errorf("%s: there is a snapshot", name)
		}
	}
}

func TestATokenTellsWhatTheServerToldAndKeepsTheRefreshTokenBack(t *testing.T) {
	rec := kept(time.Hour, 0)
	rec.TokenType, rec.IDToken, rec.Granted = "bearer", "a.b.c", []string{"openid", "read"}
	rec.Extra = map[string]json.RawMessage{"instance_url": json.RawMessage(`"https://eu1.example.com"`), "id_token": json.RawMessage(`"unverified"`)}
	tok := tokenOf(rec)
	if tok.RefreshToken != "" || tok.AccessToken != "at" || tok.Type() != "Bearer" || !tok.Expiry.Equal(rec.Expiry) {
		t.Errorf("token is %+v", tok)
	}
	for name, want := range map[string]any{"instance_url": "https://eu1.example.com", "id_token": "a.b.c", "scope": "openid read", "none": nil} {
		if got := tok.Extra(name); got != want {
			t.Errorf("Extra(%q) is %v, want %v", name, got, want)
		}
	}
}
