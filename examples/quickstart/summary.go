package main

import (
	"errors"
	"fmt"
	"strings"
)

// A finding is one line of the summary.
type finding struct {
	what   string
	count  string
	note   string
	wanted string // "": it is as it should be
}

// judge says what the show has shown. What our own server has recorded counts
// more than what the processes say.
func (d *director) judge() []finding {
	t := &d.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.total()
	if d.server != nil {
		sum.Requests, sum.Refusals = int64(d.server.RefreshCount()), int64(d.server.Reused())
	}
	return []finding{
		count("calls made", sum.Calls, sum.Calls > 0, "some").with("%d processes x %d goroutines", d.processes+1, d.goroutines),
		count("calls failed", sum.Failed, sum.Failed == 0, "none").with("the slowest took %s", seconds(sum.Slowest)),
		count("logins", int64(t.logins), t.logins == 1, "one"),
		count("refresh tokens refused as reused", sum.Refusals, sum.Refusals == 0, "none"),
		d.rotations(),
		d.thrift(sum.Requests),
		d.ending(),
	}
}

// rotations is about the process that was killed.
func (d *director) rotations() finding {
	const what = "rotations recovered after a kill"
	t := &d.tally
	switch {
	case !d.kill:
		return finding{what: what, count: "-", note: "nobody was killed: see -kill"}
	case t.victim == "":
		return count(what, 0, false, "one").with("nobody renewed meanwhile")
	case t.recovery == 0:
		return count(what, 0, false, "one")
	}
	f := count(what, 1, true, "")
	if d.server == nil {
		return f.with("after %s", seconds(t.recovery))
	}
	return f.with("after %s of %s grace", seconds(t.recovery), seconds(d.grace))
}

// thrift is about the requests that an expiry costs. The one whose answer nobody
// has read is told apart.
func (d *director) thrift(requests int64) finding {
	const what = "token requests per expiry"
	t := &d.tally
	lost := int64(0)
	if t.victim != "" {
		lost = 1
	}
	expiries := int64(t.expiries)
	switch {
	case expiries == 0 && d.server == nil && requests == 0:
		return finding{what: what, count: "-", note: "none expired; they live " + seconds(t.lifetime)}
	case expiries == 0:
		return finding{what: what, count: fmt.Sprint(requests), wanted: "one for each expiry", note: "no token has expired"}
	}
	per := float64(requests-lost) / float64(expiries)
	f := finding{what: what, count: strings.TrimSuffix(fmt.Sprintf("%.2f", per), ".00"), note: fmt.Sprintf("%d for %d", requests-lost, expiries)}
	if lost > 0 {
		f.note += ", and 1 died with " + t.victim
	}
	if requests-lost != expiries {
		f.wanted = "one"
	}
	return f
}

// ending is about the logout. A real server may have no way to revoke a grant.
func (d *director) ending() finding {
	f := finding{what: "grants left after the logout", count: "0"}
	switch err := d.tally.logout; {
	case err == nil:
	case d.server == nil:
		f.count, f.note = "?", "the server may not know"
	default:
		f.count, f.note, f.wanted = "1", err.Error(), "none"
	}
	return f
}

func count(what string, n int64, good bool, wanted string) finding {
	f := finding{what: what, count: thousands(n)}
	if !good {
		f.wanted = wanted
	}
	return f
}

func (f finding) with(format string, args ...any) finding {
	f.note = fmt.Sprintf(format, args...)
	return f
}

// summary prints the findings, and returns those that are not as they should be.
func (t *timeline) summary(findings []finding) error {
	var bad []string
	t.line("")
	for _, f := range findings {
		mark := t.paint(green, "    ok")
		if f.wanted != "" {
			mark = t.paint(red, "NOT OK")
			f.note = "should be " + f.wanted
			bad = append(bad, fmt.Sprintf("%s: %s, %s", f.what, f.count, f.note))
		}
		t.line(fmt.Sprintf("%s %8s  %-33s %s", mark, f.count, f.what, t.paint(faint, f.note)))
	}
	if bad != nil {
		return errors.New(strings.Join(bad, "; "))
	}
	t.line("")
	t.line(t.paint(bold, "Clean: the user has logged in once, and nobody was locked out."))
	return nil
}
