package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"
)

// A contender does the thing that is measured once.
type contender struct {
	name string
	call func() error
}

// A timing is how long each contender took for a call, in nanoseconds, round by
// round.
type timing [][]float64

// interleave measures the contenders in turn, again and again, so that whatever
// else the machine does hits all of them, in another order each time. With procs
// over one, that many goroutines share the calls of a round, and a figure is the
// time that passed, divided by the calls of all of them.
func interleave(tb testing.TB, s *scale, procs int, all []contender) timing {
	tb.Helper()
	calls := make([]int, len(all))
	for i, c := range all {
		calls[i] = calibrate(tb, s.slice, procs, c)
	}
	if s.collect {
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
	}
	var t timing
	for range s.rounds {
		if s.collect {
			runtime.GC()
		}
		round := make([]float64, len(all))
		for _, i := range rand.Perm(len(all)) {
			round[i] = float64(lap(tb, procs, calls[i], all[i])) / float64(calls[i])
		}
		t = append(t, round)
	}
	return t
}

// calibrate tells how many calls take as long as a slice of time, when nothing
// else is in the way.
func calibrate(tb testing.TB, slice time.Duration, procs int, c contender) int {
	tb.Helper()
	for n := procs; ; n *= 2 {
		took := lap(tb, procs, n, c)
		for range 4 {
			took = min(took, lap(tb, procs, n, c))
		}
		if took >= slice/4 {
			n = max(procs, int(float64(n)*float64(slice)/float64(took)))
			return n - n%procs
		}
	}
}

// lap makes n calls.
func lap(tb testing.TB, procs, n int, c contender) time.Duration {
	tb.Helper()
	failed := make(chan error, procs)
	work := func(n int) {
		for range n {
			if err := c.call(); err != nil {
				failed <- err
				return
			}
		}
	}
	began := time.Now()
	if procs == 1 {
		work(n)
	} else {
		var all sync.WaitGroup
		for range procs {
			all.Go(func() { work(n / procs) })
		}
		all.Wait()
	}
	took := time.Since(began)
	select {
	case err := <-failed:
		tb.Fatalf("%s: %v", c.name, err)
	default:
	}
	return took
}

// of is what contender i takes for a call: the lower quartile of the rounds. On
// a machine with other work, half of them and more are about that.
func (t timing) of(i int) float64 {
	var all []float64
	for _, round := range t {
		all = append(all, round[i])
	}
	return quantile(all, 0.25)
}

func (t timing) ratio(i, j int) float64 { return t.of(i) / t.of(j) }

// quantile returns the value below which that part of all lies.
func quantile[T cmp.Ordered](all []T, part float64) (v T) {
	if len(all) == 0 {
		return v
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}

// allocations tells what a call allocates: the least of a few tries, since other
// goroutines allocate as well.
func allocations(tb testing.TB, c contender) (objects, bytes float64) {
	tb.Helper()
	const runs = 200
	objects, bytes = math.Inf(1), math.Inf(1)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		lap(tb, 1, runs, c)
		runtime.ReadMemStats(&after)
		objects = min(objects, float64((after.Mallocs-before.Mallocs)/runs))
		bytes = min(bytes, float64((after.TotalAlloc-before.TotalAlloc)/runs))
	}
	return objects, bytes
}
