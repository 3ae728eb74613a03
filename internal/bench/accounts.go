package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// accounts asks what an account costs that is used, one that is known and idle,
// and one that was forgotten; and what it costs to find one among many.
func accounts(tb testing.TB, s *scale, r *Report) {
	store := memstore.New()
	c := newClient(tb, store, unreachable{}, nil)
	inUse := min(10_000, s.known)

	var find [][2]float64 // of regrant, and of a bare map
	logged := 0
	bare := map[string]*int{}
	var mu sync.Mutex
	for _, known := range []int{10, 1000, 100_000, 1_000_000} {
		if known > s.known {
			break
		}
		for ; logged < known; logged++ {
			name := strconv.Itoa(logged)
			logIn(tb, c.Account(name), static(tokenLength))
			bare[name] = new(int)
		}
		runtime.GC()
		// The same few names at every size: what differs is how many others there are.
		names := make([]string, 10)
		for i := range names {
			names[i] = strconv.Itoa(rand.IntN(known))
		}
		i, j := 0, 0
		t := interleave(tb, s, 1, []contender{
			{"Account and Token", func() error {
				i++
				_, err := c.Account(names[i%len(names)]).Token(tb.Context())
				return err
			}},
			{"a map and a mutex", func() error {
				j++
				mu.Lock()
				defer mu.Unlock()
				if bare[names[j%len(names)]] == nil {
					return fmt.Errorf("lost an account")
				}
				return nil
			}},
		})
		find = append(find, [2]float64{t.of(0), t.of(1)})
		r.row(fmt.Sprintf("%d accounts known", known), Figure{"Client.Account and Token", t.of(0), "ns"}, Figure{"a map and a mutex", t.of(1), "ns"})
	}
	last := len(find) - 1
	r.atMost("finding one among all to finding one among ten", find[last][0]/find[0][0], 1.5, "×")
	r.notef("the bare map takes ×%s of its time among ten", number(find[last][1]/find[0][1]))

	bare = nil
	idle, used, gone := heaps(tb, inUse)
	r.row(fmt.Sprintf("heap per account, %d of them", inUse), Figure{"in use", used, "B"}, Figure{"idle, its token still good", idle, "B"}, Figure{"forgotten", gone, "B"})
	// What is left is noise of the runtime: a few pages over all accounts.
	r.atMost("heap per account that is forgotten", gone, 8, "B")
	runtime.KeepAlive(store)
}

// heaps tells what n accounts have on the heap, each: with a handle that somebody
// holds, without, and when their tokens have ended.
func heaps(tb testing.TB, n int) (idle, used, gone float64) {
	tb.Helper()
	store, key := memstore.New(), newKey()
	open := func(as http.RoundTripper) *client.Client {
		return newClient(tb, store, as, func(cfg *client.Config) { cfg.Sealer = newSealer(tb, key) })
	}
	names := make([]string, n)
	login := open(unreachable{})
	for i := range names {
		names[i] = strconv.Itoa(i)
		logIn(tb, login.Account(names[i]), static(tokenLength))
	}
	if err := login.Close(); err != nil {
		tb.Fatal(err)
	}
	each := func(bytes float64) float64 { return max(0, bytes/float64(n)) }

	c := open(unreachable{})
	handles := make([]*client.Account, n)
	nothing := heap()
	for i, name := range names {
		handles[i] = c.Account(name)
		if _, err := handles[i].Token(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	used = each(heap() - nothing)
	clear(handles)
	idle = each(heap() - nothing)
	if err := c.Close(); err != nil {
		tb.Fatal(err)
	}

	c = open(endpoint{lifetime: time.Second})
	for range 2 { // the first time, the store grows
		nothing = heap()
		for _, name := range names {
			if _, err := c.Account(name).Refresh(tb.Context(), nil); err != nil {
				tb.Fatal(err)
			}
		}
		time.Sleep(1100 * time.Millisecond)
		gone = each(heap() - nothing)
	}
	runtime.KeepAlive(c)
	return idle, used, gone
}

// heap is what is on the heap and in use.
func heap() float64 {
	for range 3 { // a cleanup runs after the cycle that finds it
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
