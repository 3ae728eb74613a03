package main

import (
	"testing"
	"time"

	"github.com/regrant/regrant/client"
)

func TestADurationReadsAsPeopleSayIt(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 400 * time.Millisecond: "0 s", 43600 * time.Millisecond: "44 s", time.Minute: "1 min", 59900 * time.Millisecond: "1 min", 89 * time.Second: "89 s",
		90 * time.Second: "90 s", 91 * time.Second: "1 min 31 s", 299600 * time.Millisecond: "5 min", 299 * time.Second: "4 min 59 s", 59*time.Minute + 59*time.Second: "1 h",
		time.Hour: "1 h", 90 * time.Minute: "90 min", 119*time.Minute + 50*time.Second: "2 h", 25 * time.Hour: "25 h", 30 * 24 * time.Hour: "30 days",
	} {
		if got := short(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestATimelineShowsEachTokenFromItsIssueToItsEnd(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	a := &app{}
	for _, from := range []int{-230, -170, -125, -75, -30} { // the first is out of sight, the last is the present one
		a.history.addLife(life{"alice", "mail", at(from), at(from + 50)})
	}
	a.history.addLife(life{"bob", "mail", at(-100), at(-50)})
	rows := []row{
		{Slot: "mail", Title: "Mail", Connected: true, Access: newSpan(at(-30), at(20), now), Status: client.Status{}},
		{Slot: "files", Title: "Files"},
	}
	tl := a.timeline("alice", rows, now)
	if len(tl.Lanes) != 1 || tl.Now != 75 {
		t.Fatalf("%d lanes, now at %v %%", len(tl.Lanes), tl.Now)
	}
	if want := "Mail: the access token ends in 20 s, 3 were before it"; tl.Lanes[0].Text != want {
		t.Errorf("%q, want %q", tl.Lanes[0].Text, want)
	}
	// 200 s are 100 %: three lifetimes of 50 s before now, and one to come.
	want := []bar{{0, 15, "was"}, {12.5, 25, "was"}, {37.5, 22.5, "was"}, {60, 15, "past"}, {75, 10, "left"}}
	want[0] = bar{0, 12.5, "was"} // ended early: renewed after 45 s
	for i, b := range tl.Lanes[0].Bars {
		if b != want[i] {
			t.Errorf("bar %d is %v, want %v", i, b, want[i])
		}
	}
	for _, tick := range tl.Ticks {
		if tick.X < 0 || tick.X > 100 || tick.Label == "" {
			t.Errorf("tick %v", tick)
		}
	}
	if a.timeline("alice", rows[1:], now) != nil {
		t.Error("a timeline of nothing")
	}
}

func TestAStateSaysWhoCanHelp(t *testing.T) {
	now := time.Now()
	connected := func(s client.State, f client.Failure, grant time.Time) row {
		return row{Connected: true, Status: client.Status{State: s, Failure: f, GrantExpiry: grant}}
	}
	gone := connected(client.StateFresh, client.FailureNone, time.Time{})
	gone.Refresh = newSpan(now.Add(-time.Hour), now.Add(-time.Minute), now)
	for name, c := range map[string]struct {
		row  row
		want state
	}{
		"nobody":    {row{}, state{"none", "Not connected", ""}},
		"fresh":     {connected(client.StateFresh, client.FailureNone, time.Time{}), state{"good", "Works", ""}},
		"last days": {connected(client.StateFresh, client.FailureNone, now.Add(72*time.Hour+time.Minute)), state{"good", "Works", "log in again within 3 days"}},
		"asleep":    {connected(client.StateRenewable, client.FailureNone, time.Time{}), state{"idle", "Asleep", "renewed when it is used"}},
		"server":    {connected(client.StateFresh, client.FailureServer, time.Time{}), state{"warn", "In trouble", "the server does not answer as it should"}},
		"revoked":   {connected(client.StateLoginRequired, client.FailureLogin, time.Time{}), state{"bad", "Log in again", "it cannot be used as it is"}},
		"damaged":   {connected(client.StateUnreadable, client.FailureStore, time.Time{}), state{"bad", "Unreadable", "sealed with another key, or damaged"}},
		"too late":  {gone, state{"bad", "Expired", "nobody has used it in time"}},
	} {
		if got := stateOf(c.row); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
