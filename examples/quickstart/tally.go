package main

import (
	"fmt"
	"maps"
	"sync"
	"time"
)

// A tally is what the reports add up to.
type tally struct {
	mu         sync.Mutex
	processes  map[string]numbers
	logins     int
	lifetime   time.Duration // of access tokens
	obtained   time.Time     // when the last one was obtained
	generation uint64
	expiries   int    // renewals that were due
	victim     string // who was killed; "": nobody
	killed     time.Time
	recovery   time.Duration // from there to the next renewal; 0: there was none
	logout     error
}

// add counts a report, and returns it, as a recovery if it is one.
func (t *tally) add(r report) report {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.processes == nil {
		t.processes = map[string]numbers{}
	}
	t.processes[r.Process] = r.numbers
	t.generation = max(t.generation, r.Generation)
	switch r.Kind {
	case loggedIn:
		t.logins++
	case began:
		t.lifetime = r.Lifetime
		if r.Obtained.After(t.obtained) {
			t.obtained = r.Obtained
		}
	case killed:
		t.victim, t.killed = r.Process, r.Time
	case renewed:
		if t.due(r.Time) {
			t.expiries++
		}
		t.obtained = r.Time
		if t.victim != "" && t.recovery == 0 {
			t.recovery = r.Time.Sub(t.killed)
			r.Kind, r.Text = recovered, fmt.Sprintf("recovered the rotation after %s", seconds(t.recovery))
		}
	}
	return r
}

// due tells whether the access token was near its end. It is renewed in the last
// quarter of its lifetime; a renewal in the first half is a needless one.
func (t *tally) due(now time.Time) bool { return now.Sub(t.obtained) > t.lifetime/2 }

// of returns what a process has counted, and the last generation that was kept.
func (t *tally) of(process string) (made numbers, generation uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.processes[process], t.generation
}

// total returns what all have counted.
func (t *tally) total() numbers {
	var sum numbers
	for n := range maps.Values(t.processes) {
		sum.Calls += n.Calls
		sum.Failed += n.Failed
		sum.Requests += n.Requests
		sum.Refusals += n.Refusals
		sum.Slowest = max(sum.Slowest, n.Slowest)
	}
	return sum
}

// loggedIn tells whether there is a grant.
func (t *tally) loggedIn() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.logins > 0
}

func (t *tally) loggedOut(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logout = err
}
