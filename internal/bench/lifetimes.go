package main

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	callers = 10
	every   = 10 * time.Millisecond // each of them calls: a thousand calls a second
	fewest  = 900                   // calls a second that still are about a thousand
	plenty  = 1000                  // token requests after which a run need not go on
)

// lifetimes asks a thousand times a second for tokens that live for seconds, for
// so long that each has to be renewed.
func lifetimes(tb testing.TB, s *scale, r *Report) {
	type run struct {
		*subject
		seconds int
		paced
	}
	var runs [][]*run // by subject
	var running sync.WaitGroup
	for _, seconds := range []int{1, 2, 5, 10, 60} {
		lifetime := time.Duration(seconds) * time.Second
		length := max(s.lifetimes, time.Duration(s.ends*float64(lifetime)))
		for i, who := range subjects(tb, lifetime, false) {
			if i >= ownSubjects && !s.peers {
				break
			}
			if len(runs) <= i {
				runs = append(runs, nil)
			}
			one := &run{subject: who, seconds: seconds}
			runs[i] = append(runs[i], one)
			running.Go(func() { one.paced = thousandPerSecond(tb, who, length) })
		}
	}
	running.Wait()
	slowest := math.Inf(1)
	for i, all := range runs {
		var figures []Figure
		own := math.Inf(1)
		for _, run := range all {
			figures = append(figures, Figure{fmt.Sprintf("expires_in %d", run.seconds), run.perSecond(run.tokens), "/s"})
			own = min(own, run.perSecond(run.calls))
			if i < ownSubjects {
				limit := run.took.Seconds()/(0.7*float64(run.seconds)) + 1
				r.atMost(fmt.Sprintf("%s, expires_in %d: token requests in %.0f s", run.name, run.seconds, run.took.Seconds()), run.tokens, limit, "")
			}
		}
		r.row(all[0].name, append(figures, Figure{"calls, where they were fewest", own, "/s"})...)
		if i < ownSubjects {
			slowest = min(slowest, own)
		}
	}
	r.atLeast("regrant, where it was called least often: calls", slowest, fewest, "/s")
	r.notef("the figures are token requests a second at 1000 calls a second, all at once and each for %v or %v lifetimes, whichever is longer; a peer, as it is by default, for no more than %d token requests", s.lifetimes, s.ends, plenty)
}

// paced is how a subject was called.
type paced struct {
	calls, tokens float64 // tokens are requests for one
	took          time.Duration
}

func (p paced) perSecond(n float64) float64 { return n / p.took.Seconds() }

// thousandPerSecond calls until the time is over, or until it is plain that each
// call is a token request.
func thousandPerSecond(tb testing.TB, who *subject, length time.Duration) paced {
	tb.Helper()
	var all sync.WaitGroup
	var failed, over atomic.Bool
	var calls atomic.Int64
	began := time.Now()
	for i := range callers {
		all.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for time.Since(began) < length && !over.Load() {
				if i == 0 && who.requests() >= plenty {
					over.Store(true)
				}
				if err := who.call(tb.Context()); err != nil && !failed.Swap(true) {
					tb.Errorf("%s: %v", who.name, err)
				}
				calls.Add(1)
				<-tick.C
			}
		})
	}
	all.Wait()
	// Not later: in the background, one more comes when nobody calls any more.
	return paced{float64(calls.Load()), float64(who.requests()), time.Since(began)}
}
