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

// size lets tokens grow, and with them requests, records and renewals.
func size(tb testing.TB, s *scale, r *Report) {
	base := nowhere{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "https://api.example.com/v1/things?limit=10", nil)
	if err != nil {
		tb.Fatal(err)
	}
	fewer := *s
	fewer.rounds, fewer.collect = max(1, s.rounds/5), true
	for _, length := range []int{32, 1 << 10, 8 << 10, 64 << 10} {
		ours := freshAccount(tb, length).Transport(base)
		theirs := &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, static(length)), Base: base}
		store := &counter{Store: memstore.New()}
		me := newClient(tb, store, endpoint{time.Hour, length}, nil).Account("alice")
		logIn(tb, me, static(length))
		all := []contender{
			{"regrant", func() error { _, err := ours.RoundTrip(req); return err }},
			{"x/oauth2", func() error { _, err := theirs.RoundTrip(req); return err }},
			{"a renewal", func() error { _, err := me.Refresh(context.Background(), nil); return err }},
		}
		for _, c := range all {
			lap(tb, 1, 1, c) // whatever it does the first time
		}
		t := interleave(tb, &fewer, 1, all)
		_, bytes := allocations(tb, all[0])
		_, theirBytes := allocations(tb, all[1])
		r.row(fmt.Sprintf("a token of %d bytes", length), Figure{"RoundTrip", t.of(0), "ns"}, Figure{"to x/oauth2", t.ratio(0, 1), "×"},
			Figure{"bytes", bytes, "B"}, Figure{"of x/oauth2", theirBytes, "B"},
			Figure{"a renewal in memory", t.of(2) / 1000, "µs"}, Figure{"record", float64(store.size.Load()), "B"})
		r.atMost(fmt.Sprintf("bytes of a RoundTrip with a token of %d bytes", length), bytes, 720, "B")
	}
}
