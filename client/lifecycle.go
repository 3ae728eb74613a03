package client

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/internal/record"
)

// A moment is a point in time on both clocks, and is reached when either says
// so: the monotonic clock stands still while a laptop sleeps, and the wall
// clock may be set back. The zero moment never comes.
type moment struct {
	mono time.Time
	wall int64 // nanoseconds of the Unix time
}

// momentAt stops short of the year 2262, where the nanoseconds of the Unix time
// end: a token that somebody brought may be good until 9999.
func momentAt(now time.Time, d time.Duration) moment {
	const century = 100 * 365 * 24 * time.Hour
	t := now.Add(min(d, century))
	return moment{t, t.UnixNano()}
}

func (m *moment) reached(now time.Time) bool {
	return m.wall != 0 && (!now.Before(m.mono) || now.UnixNano() >= m.wall)
}

// A snapshot is an access token as callers get it, with what is to be known
// about it without a lock.
type snapshot struct {
	token *oauth2.Token
	renew moment // from here on somebody should renew it
	end   moment // from here on nobody gets it
	used  atomic.Bool
}

// fresh tells whether the token can be handed out without a second thought.
func (s *snapshot) fresh(now time.Time) bool { return s != nil && !s.renew.reached(now) }

// working tells whether the token still works, if need be.
func (s *snapshot) working(now time.Time) bool { return s != nil && !s.end.reached(now) }

// newSnapshot returns what callers get of rec, nil if it holds no access token.
func newSnapshot(rec *record.Record, early time.Duration, now time.Time) *snapshot {
	if rec == nil || rec.AccessToken == "" || rec.Refused != nil && rec.Expiry.IsZero() {
		return nil
	}
	s := &snapshot{token: tokenOf(rec)}
	if rec.Lifetime == 0 {
		return s // the server did not say: until a 401
	}
	// What another machine saved can seem to be of the future. No token lives
	// longer than it was promised to.
	left := min(rec.Expiry.Sub(now.Round(0)), rec.Lifetime)
	window, last := margins(rec.Lifetime, early)
	// Jitter keeps a fleet that logged in together from renewing together.
	window -= below(window/5 + 1)
	s.renew = momentAt(now, left-max(window, last))
	s.end = momentAt(now, left-last)
	return s
}

// margins tells how long before its expiry a token of this lifetime is renewed,
// and from when on it is not handed out.
func margins(lifetime, early time.Duration) (window, last time.Duration) {
	window = min(lifetime/4, 5*time.Minute)
	if early > 0 {
		window = min(early, lifetime/2)
	}
	return window, min(lifetime/10, 10*time.Second)
}

// tokenOf builds the token that travels to callers. It never carries the
// refresh token: a library that is given one spends it behind our back.
func tokenOf(rec *record.Record) *oauth2.Token {
	t := &oauth2.Token{AccessToken: rec.AccessToken, TokenType: rec.TokenType, Expiry: rec.Expiry}
	extra := make(map[string]any, len(rec.Extra)+2)
	for name, raw := range rec.Extra {
		var value any
		if json.Unmarshal(raw, &value) == nil {
			extra[name] = value
		}
	}
	if rec.IDToken != "" {
		extra["id_token"] = rec.IDToken
	}
	if len(rec.Granted) > 0 {
		extra["scope"] = join(rec.Granted)
	}
	if len(extra) > 0 {
		t = t.WithExtra(extra)
	}
	return t
}
