package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// How the cost grows with goroutines and with the size of a token. With accounts
// it is in accounts.go, with processes in fleet.go.

// goroutines lets more and more of them ask for a token that is fresh, and for one
// that has ended, at a server that takes 100 ms.
func goroutines(tb testing.TB, s *scale, r *Report) {
	me := freshAccount(tb, tokenLength)
	for _, n := range []int{1, 64, 1000, 10_000} {
		if n > s.known {
			break
		}
		fresh := contender{"regrant", func() error { _, err := me.Token(tb.Context()); return err }}
		const each = 1000 // calls, beside which a goroutine costs little
		var t timing
		for range max(1, s.rounds/50) {
			t = append(t, []float64{float64(lap(tb, n, n*each, fresh)) / float64(n*each)})
		}

		who := ours(tb, "regrant", time.Hour, false)
		who.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: slow}, -1)
		took := make([]time.Duration, n)
		var ready, all sync.WaitGroup
		gate := make(chan struct{})
		ready.Add(n)
		for i := range took {
			all.Go(func() {
				ready.Done()
				<-gate
				began := time.Now()
				if err := who.call(tb.Context()); err != nil {
					tb.Error(err)
				}
				took[i] = time.Since(began)
			})
		}
		ready.Wait()
		began := time.Now()
		close(gate)
		all.Wait()
		last := time.Since(began)
		slices.Sort(took)
		r.row(fmt.Sprintf("%d goroutines", n), Figure{"Token, fresh", t.of(0), "ns"},
			Figure{"ended: median", float64(took[n/2]) / float64(time.Millisecond), "ms"}, Figure{"the last has it after", float64(last) / float64(time.Millisecond), "ms"},
			Figure{"token requests", float64(who.requests()), ""})
		r.atMost(fmt.Sprintf("token requests for %d goroutines", n), float64(who.requests()), 1, "")
	}
	r.notef("fresh: the time that passed, divided by the calls of all; ended: the server takes %v", slow)
}

// size lets tokens grow, and with them requests, records and renewals. All lengths
// are measured in turn, so that they can be compared.
func size(tb testing.TB, s *scale, r *Report) {
	base := nowhere{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "https://api.example.com/v1/things?limit=10", nil)
	if err != nil {
		tb.Fatal(err)
	}
	lengths := []int{32, 1 << 10, 8 << 10, 64 << 10}
	var requests, renewals []contender
	var records []*counter
	for _, length := range lengths {
		ours := freshAccount(tb, length).Transport(base)
		theirs := &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, static(length)), Base: base}
		store := &counter{Store: memstore.New()}
		me := newClient(tb, store, endpoint{time.Hour, length}, nil).Account("alice")
		logIn(tb, me, static(length))
		requests = append(requests,
			contender{"regrant", func() error { _, err := ours.RoundTrip(req); return err }},
			contender{"x/oauth2", func() error { _, err := theirs.RoundTrip(req); return err }})
		renewals = append(renewals, contender{"a renewal", func() error { _, err := me.Refresh(context.Background(), nil); return err }})
		records = append(records, store)
	}
	for _, c := range slices.Concat(requests, renewals) {
		lap(tb, 1, 1, c) // whatever it does the first time
	}
	fewer := *s
	fewer.rounds, fewer.collect = max(1, s.rounds/4), true
	sent, renewed := interleave(tb, &fewer, 1, requests), interleave(tb, &fewer, 1, renewals)
	for i, length := range lengths {
		ours, theirs := 2*i, 2*i+1
		_, bytes := allocations(tb, requests[ours])
		_, theirBytes := allocations(tb, requests[theirs])
		r.row(fmt.Sprintf("a token of %d bytes", length), Figure{"RoundTrip", sent.of(ours), "ns"}, Figure{"to x/oauth2", sent.ratio(ours, theirs), "×"},
			Figure{"bytes", bytes, "B"}, Figure{"of x/oauth2", theirBytes, "B"},
			Figure{"a renewal in memory", renewed.of(i) / 1000, "µs"}, Figure{"record", float64(records[i].size.Load()), "B"})
		r.atMost(fmt.Sprintf("bytes of a RoundTrip with a token of %d bytes", length), bytes, 720, "B")
	}
}
