package main

import (
	"fmt"
	"time"
)

// A timeline shows the lives of access tokens, in percent of its width.
type timeline struct {
	Now   float64
	Ticks []tick
	Lanes []lane
}

type tick struct {
	X     float64
	Label string
	Minor bool // left out where there is little room
}

// A lane is that of one connection. Text says what it shows.
type lane struct {
	Title, Slot string
	Text        string
	Bars        []bar
}

type bar struct {
	X, Width float64
	Class    string // was: of a token that was replaced, or has expired; past and left: of the present one
}

// timeline covers three lifetimes of the token that lives longest, and one to come.
func (a *app) timeline(user string, rows []row, now time.Time) *timeline {
	longest := time.Duration(0)
	for _, r := range rows {
		if r.Connected && r.Access != nil {
			longest = max(longest, r.Access.Lifetime())
		}
	}
	if longest <= 0 {
		return nil
	}
	from, all := now.Add(-3*longest), 4*longest
	x := func(t time.Time) float64 {
		return 100 * min(1, max(0, float64(t.Sub(from))/float64(all)))
	}
	tl := &timeline{Now: x(now), Ticks: ticks(longest, x, now)}
	for _, r := range rows {
		if r.Connected && r.Access != nil {
			tl.Lanes = append(tl.Lanes, newLane(r, a.history.livesOf(user, r.Slot), x, from, now))
		}
	}
	return tl
}

func newLane(r row, lives []life, x func(time.Time) float64, from, now time.Time) lane {
	l := lane{Title: r.Title, Slot: r.Slot}
	seen := 0
	for i, was := range lives {
		if !was.from.Before(r.Access.From) || was.expiry.Before(from) {
			continue
		}
		end := was.expiry
		if next := append(lives[i+1:], life{from: r.Access.From})[0].from; next.Before(end) {
			end = next
		}
		seen++
		l.bar(x(was.from), x(end), "was")
	}
	switch {
	case r.Access.Left > 0:
		l.bar(x(r.Access.From), x(now), "past")
		l.bar(x(now), x(r.Access.To), "left")
		l.Text = fmt.Sprintf("%s: the access token ends in %s", r.Title, short(r.Access.Left))
	default:
		l.bar(x(r.Access.From), x(r.Access.To), "was")
		l.Text = fmt.Sprintf("%s: the access token has ended %s ago", r.Title, short(now.Sub(r.Access.To)))
	}
	switch seen {
	case 0:
	case 1:
		l.Text += ", one was before it"
	default:
		l.Text += fmt.Sprintf(", %d were before it", seen)
	}
	return l
}

// bar adds a bar, with a gap before the next one.
func (l *lane) bar(from, to float64, class string) {
	if to > from {
		l.Bars = append(l.Bars, bar{from, to - from, class})
	}
}

// steps are the distances of ticks that people count in.
var steps = []time.Duration{
	10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
	30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
}

func ticks(longest time.Duration, x func(time.Time) float64, now time.Time) (all []tick) {
	step := steps[len(steps)-1]
	for _, s := range steps {
		if 4*longest/s <= 6 {
			step = s
			break
		}
	}
	for n := -int(3 * longest / step); time.Duration(n)*step <= longest; n++ {
		t := tick{X: x(now.Add(time.Duration(n) * step)), Label: "now", Minor: n%2 != 0}
		switch d := time.Duration(n) * step; {
		case n < 0:
			t.Label = "−" + short(-d)
		case n > 0:
			t.Label = "+" + short(d)
		}
		all = append(all, t)
	}
	return all
}

// short is a duration as people say it.
func short(d time.Duration) string {
	d = d.Round(time.Second)
	seconds, minutes := int(d/time.Second), int(d.Round(time.Minute)/time.Minute)
	switch {
	case d <= 90*time.Second && d != time.Minute:
		return fmt.Sprintf("%d s", seconds)
	case d < 10*time.Minute && seconds%60 != 0:
		return fmt.Sprintf("%d min %d s", seconds/60, seconds%60)
	case minutes < 60 || minutes < 120 && minutes%60 != 0:
		return fmt.Sprintf("%d min", minutes)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Round(time.Hour)/time.Hour))
	}
	return fmt.Sprintf("%d days", int(d.Round(24*time.Hour)/(24*time.Hour)))
}
