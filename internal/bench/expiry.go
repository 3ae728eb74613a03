package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// What happens when a token ends under load, when the server is down, and when
// tokens live for seconds only.

const (
	crowd   = 64
	slow    = 100 * time.Millisecond // what the server takes
	pause   = 2 * time.Millisecond   // of each of the crowd, between two calls
	waiting = slow / 2               // who takes longer has waited for the server
	// How close to a token request a call is near it: some time before, and as
	// long as it takes after.
	before, after = 50 * time.Millisecond, 2 * slow
)

// A lapse is one call.
type lapse struct {
	at   time.Time
	took time.Duration
}

// expiry lets a crowd use one token through its expiries.
func expiry(tb testing.TB, s *scale, r *Report) {
	for i, who := range subjects(tb, s.expiry, true) {
		if i >= ownSubjects && !s.peers {
			break
		}
		if err := who.call(tb.Context()); err != nil { // the first token
			tb.Fatalf("%s: %v", who.name, err)
		}
		first := len(who.as.Exchanges())
		who.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: slow}, -1)
		calls := stampede(tb, who, time.Duration(s.expiries)*s.expiry)
		var requests []time.Time
		for _, x := range who.as.Exchanges()[first:] {
			requests = append(requests, x.Time)
		}
		// Requests that come together are for one expiry.
		moments := slices.CompactFunc(slices.Clone(requests), func(a, b time.Time) bool { return a.Sub(b).Abs() < s.expiry/4 })
		if len(moments) == 0 {
			tb.Fatalf("%s: no token has expired in %v", who.name, time.Duration(s.expiries)*s.expiry)
		}
		var far, others []time.Duration
		waits := 0
		for _, c := range calls {
			near := slices.ContainsFunc(moments, func(m time.Time) bool {
				return c.at.After(m.Add(-before)) && c.at.Before(m.Add(after))
			})
			switch {
			case near && c.took >= waiting:
				waits++
			case near:
				others = append(others, c.took)
			default:
				far = append(far, c.took)
			}
		}
		n := float64(len(moments))
		calm, busy := quantile(far, 0.999), quantile(others, 0.999)
		ratio := float64(busy) / float64(calm)
		r.row(who.name, Figure{"waits per expiry", float64(waits) / n, ""}, Figure{"token requests per expiry", float64(len(requests)) / n, ""},
			Figure{"p99.9 of the others", micros(busy), "µs"}, Figure{"p99.9 far from it", micros(calm), "µs"},
			Figure{"ratio", ratio, "×"}, Figure{"expiries", n, ""}, Figure{"calls", float64(len(calls)), ""})
		switch who.name {
		case "regrant":
			r.atMost("who waits at an expiry", float64(waits)/n, 1, "")
		case "regrant, Background":
			r.atMost("who waits at an expiry, Background", float64(waits)/n, 0, "")
		default:
			continue
		}
		r.atMost(who.name+": p99.9 of the others to p99.9 far from an expiry", ratio, 1.5, "×")
		r.atMost(who.name+": token requests per expiry", float64(len(requests))/n, 1, "")
	}
	r.notef("%d goroutines, each with %v between two calls; access tokens live for %v; a wait is a call of %v or more", crowd, pause, s.expiry, waiting)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// stampede lets the crowd call for that long.
func stampede(tb testing.TB, who *subject, length time.Duration) []lapse {
	tb.Helper()
	end := time.Now().Add(length)
	each := make([][]lapse, crowd)
	var all sync.WaitGroup
	for i := range each {
		all.Go(func() {
			for began := time.Now(); began.Before(end); began = time.Now() {
				if err := who.call(tb.Context()); err != nil {
					tb.Errorf("%s: %v", who.name, err)
					return
				}
				each[i] = append(each[i], lapse{began, time.Since(began)})
				time.Sleep(pause)
			}
		})
	}
	all.Wait()
	return slices.Concat(each...)
}

// impatient lets a crowd with little time ask for a token that has ended, behind
// somebody with enough of it. The server takes seconds.
func impatient(tb testing.TB, s *scale, r *Report) {
	const patience = slow / 2
	late := s.expiry / 2
	for i, who := range subjects(tb, time.Hour, true) {
		if i == 1 || i >= ownSubjects && !s.peers {
			continue
		}
		who.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: late}, -1)
		var all sync.WaitGroup
		var first time.Duration
		all.Go(func() {
			began := time.Now()
			if err := who.call(tb.Context()); err != nil {
				tb.Errorf("%s: %v", who.name, err)
			}
			first = time.Since(began)
		})
		time.Sleep(slow) // by now it asks
		took := make([]time.Duration, crowd-1)
		var tokens atomic.Int64
		for i := range took {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(tb.Context(), patience)
				defer cancel()
				began := time.Now()
				if who.call(ctx) == nil {
					tokens.Add(1)
				}
				took[i] = time.Since(began)
			})
		}
		all.Wait()
		slices.Sort(took)
		last := took[len(took)-1]
		r.row(who.name, Figure{"the impatient: median", millis(took[len(took)/2]), "ms"}, Figure{"last", millis(last), "ms"}, Figure{"with a token", float64(tokens.Load()), ""},
			Figure{"the patient one", millis(first), "ms"}, Figure{"token requests", float64(who.requests()), ""})
		if i == 0 {
			r.atMost(fmt.Sprintf("the last of those with %v", patience), millis(last), millis(2*patience), "ms")
			r.atMost("token requests", float64(who.requests()), 1, "")
		}
	}
	r.notef("%d callers with %v each behind one who can wait; the server takes %v", crowd-1, patience, late)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// unavailable lets a crowd ask for a token that has ended, while the server
// answers 503.
func unavailable(tb testing.TB, s *scale, r *Report) {
	const patience = 2 * slow
	for i, who := range subjects(tb, time.Hour, true) {
		if i == 1 || i >= ownSubjects && !s.peers {
			continue // Background makes no difference
		}
		who.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: slow, Status: http.StatusServiceUnavailable}, -1)
		ctx, cancel := context.WithTimeout(tb.Context(), patience)
		took := make([]time.Duration, crowd)
		var all sync.WaitGroup
		began := time.Now()
		for i := range took {
			all.Go(func() {
				if who.call(ctx) == nil {
					tb.Errorf("%s: a token came from nowhere", who.name)
				}
				took[i] = time.Since(began)
			})
		}
		all.Wait()
		cancel()
		inTime := 0
		for _, d := range took {
			if d <= patience {
				inTime++
			}
		}
		slices.Sort(took)
		r.row(who.name, Figure{"token requests", float64(who.requests()), ""}, Figure{"answered in time", float64(inTime), ""},
			Figure{"median", millis(took[crowd/2]), "ms"}, Figure{"last", millis(took[crowd-1]), "ms"})
		if i == 0 {
			r.atMost("token requests", float64(who.requests()), 1, "")
			r.atLeast(fmt.Sprintf("of %d callers answered in time", crowd), float64(inTime), crowd, "")
		}
	}
}
