package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// accounts asks what it costs to find one account among many, and what an account
// costs that is used, one that is idle, and one that was forgotten.
func accounts(tb testing.TB, s *scale, r *Report) {
	store, key := memstore.New(), newKey()
	sealed := func(cfg *client.Config) { cfg.Sealer = newSealer(tb, key) }
	c := newClient(tb, store, unreachable{}, sealed)
	fewer := *s
	fewer.rounds = max(1, s.rounds/4) // for each of many sizes
	find(tb, &fewer, r, c)
	if err := c.Close(); err != nil {
		tb.Fatal(err)
	}
	inUse := min(10_000, s.known)
	idle, used, gone := heaps(tb, inUse, func(as http.RoundTripper) *client.Client { return newClient(tb, store, as, sealed) })
	r.row(fmt.Sprintf("heap per account, %d of %d known", inUse, s.known),
		Figure{"in use", used, "B"}, Figure{"idle, its token still good", idle, "B"}, Figure{"forgotten", gone, "B"})
	// What is left is noise of the runtime: a few pages over all accounts.
	r.atMost("heap per account that is forgotten", gone, 8, "B")
}

// find logs more and more accounts in, and looks for the same few of them, and for
// any of them; in regrant and in a bare map.
func find(tb testing.TB, s *scale, r *Report, c *client.Client) {
	tb.Helper()
	type entry struct{ token atomic.Pointer[string] }
	bare := map[string]*entry{}
	var mu sync.Mutex
	var names []string
	var few [][2]float64 // the time of regrant and of the bare map
	for _, known := range []int{10, 1000, 10_000, 100_000, 1_000_000} {
		if known > s.known {
			break
		}
		for i := len(names); i < known; i++ {
			names = append(names, strconv.Itoa(i))
			logIn(tb, c.Account(names[i]), static(tokenLength))
			bare[names[i]] = new(entry)
			bare[names[i]].token.Store(&names[i])
		}
		runtime.GC()
		measured := func(which []string) timing {
			next := [2]int{}
			name := func(i int) string {
				next[i]++
				return which[next[i]%len(which)]
			}
			return interleave(tb, s, 1, []contender{
				{"Account and Token", func() error {
					_, err := c.Account(name(0)).Token(tb.Context())
					return err
				}},
				{"a map and a mutex", func() error {
					mu.Lock()
					found := bare[name(1)]
					mu.Unlock()
					if *found.token.Load() == "" {
						return errors.New("lost an account")
					}
					return nil
				}},
			})
		}
		// The same few at every size: what differs is how many others there are.
		// Of any, most are not in the cache of the processor.
		everyone := slices.Clone(names)
		rand.Shuffle(len(everyone), func(i, j int) { everyone[i], everyone[j] = everyone[j], everyone[i] })
		same, all := measured(everyone[:10]), measured(everyone)
		few = append(few, [2]float64{same.of(0), same.of(1)})
		r.row(fmt.Sprintf("%d accounts known", known),
			Figure{"Account and Token, of ten", same.of(0), "ns"}, Figure{"to a map and a mutex", same.ratio(0, 1), "×"},
			Figure{"of any", all.of(0), "ns"}, Figure{"of any, to a map and a mutex", all.ratio(0, 1), "×"})
	}
	last := len(few) - 1
	r.atMost(fmt.Sprintf("finding one of ten among %d to finding it among 10", len(names)), few[last][0]/few[0][0], 1.5, "×")
	r.notef("the bare map takes ×%s of its time among 10", number(few[last][1]/few[0][1]))
	runtime.KeepAlive(bare)
}

// heaps tells what n accounts have on the heap, each: with a handle that somebody
// holds, without, and when their tokens have ended.
func heaps(tb testing.TB, n int, open func(as http.RoundTripper) *client.Client) (idle, used, gone float64) {
	tb.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
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

	c = open(endpoint{time.Second, tokenLength})
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

// heap is what is on the heap and in use, when that does not change any more: what
// is cleaned up runs after the cycle that finds it, and may leave garbage.
func heap() float64 {
	var last uint64
	for range 50 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if max(m.HeapAlloc, last)-min(m.HeapAlloc, last) < 4<<10 {
			return float64(m.HeapAlloc)
		}
		last = m.HeapAlloc
	}
	return float64(last)
}
