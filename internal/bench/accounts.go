package main

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// perAccount is about what one of them has on the heap, in bytes.
const perAccount = 1300

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
// any of them; in regrant and in a bare map of tokens.
func find(tb testing.TB, s *scale, r *Report, c *client.Client) {
	tb.Helper()
	bare := map[string]*snapshot{}
	var mu sync.Mutex
	var names []string
	var few, many [][2]float64 // the time of regrant and of the bare map
	for _, known := range []int{10, 1000, 10_000, 100_000, 1_000_000} {
		if known > s.known {
			break
		}
		for i := len(names); i < known; i++ {
			names = append(names, strconv.Itoa(i))
			get := static(tokenLength)
			logIn(tb, c.Account(names[i]), get)
			token, _ := get.Token()
			bare[names[i]] = newSnapshot(token)
		}
		memory := make([]uint64, known*perAccount/8)
		for i := 0; i < len(memory); i += 64 {
			memory[i] = 0 // or there would be one page of zeros, read again and again
		}
		var at uint64
		runtime.GC()
		measured := func(which []string) timing {
			// A cycle looks at all accounts, so it would weigh more the more there are.
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
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
				{"a map behind a mutex, and the floor of Token", func() error {
					mu.Lock()
					found := bare[name(1)]
					mu.Unlock()
					_, err := found.Token(tb.Context())
					return err
				}},
				{"a word from anywhere in as much memory", func() error {
					i, _ := bits.Mul64(at, uint64(len(memory)))
					at = at*6364136223846793005 + 1442695040888963407 + memory[i] // where the next is, depends on this one
					return nil
				}},
			})
		}
		// The same few at every size: what differs is how many others there are.
		// Of any, most are not in the cache of the processor.
		everyone := slices.Clone(names)
		rand.Shuffle(len(everyone), func(i, j int) { everyone[i], everyone[j] = everyone[j], everyone[i] })
		same, all := measured(everyone[:10]), measured(everyone)
		few, many = append(few, [2]float64{same.of(0), same.of(1)}), append(many, [2]float64{all.of(0), all.of(1)})
		r.row(fmt.Sprintf("%d accounts known", known),
			Figure{"Account and Token, of ten", same.of(0), "ns"}, Figure{"a bare map", same.of(1), "ns"}, Figure{"ratio", same.ratio(0, 1), "×"},
			Figure{"of all", all.of(0), "ns"}, Figure{"a bare map, of all", all.of(1), "ns"}, Figure{"ratio, of all", all.ratio(0, 1), "×"},
			Figure{"one fetch from as much memory", all.of(2), "ns"})
	}
	last := len(few) - 1
	r.atMost(fmt.Sprintf("finding one of ten among %d to finding it among 10", len(names)), few[last][0]/few[0][0], 1.5, "×")
	r.atMost(fmt.Sprintf("finding any of all %d to finding any of 10", len(names)), many[last][0]/many[0][0], 1.5, "×")
	r.notef("a bare map is one with as many entries behind a mutex, whose values are the floor of Token; it takes ×%s for one of ten and ×%s for any of all", number(few[last][1]/few[0][1]), number(many[last][1]/many[0][1]))
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
