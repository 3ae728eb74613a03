package sim

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Int64("seed", -1, "replay this seed, and print its trace")
	seedsFlag = flag.Uint64("seeds", 3000, "how many seeds TestSeeds runs")
	firstFlag = flag.Uint64("first", 1, "the first seed of TestSeeds")
	mostFlag  = flag.Int("most", 10, "after how many violations TestSeeds gives up")
)

// TestSeed replays one seed: go test ./internal/sim -run Seed -seed N.
func TestSeed(t *testing.T) {
	if *seedFlag < 0 {
		t.Skip("give -seed N to replay one")
	}
	r := run(t, uint64(*seedFlag), true)
	t.Logf("\n%s", r.trace)
	if r.violation != "" {
		t.Errorf("seed %d: %s", *seedFlag, r.violation)
	}
}

func TestSeeds(t *testing.T) {
	if *seedFlag >= 0 {
		t.Skip("one seed is asked for")
	}
	begun := time.Now()
	var sum stats
	var hash uint64
	bad := 0
	for seed := *firstFlag; seed < *firstFlag+*seedsFlag && bad < *mostFlag; seed++ {
		r := run(t, seed, false)
		hash += r.hash
		sum.add(r.stats)
		if r.violation != "" {
			bad++
			t.Errorf("seed %d: %s\n%s", seed, r.violation, tail(run(t, seed, true).trace, 25))
		}
	}
	t.Logf("%d seeds from %d in %v: %v; traces %016x", *seedsFlag, *firstFlag, time.Since(begun).Round(time.Second), sum, hash)
}

// A seed decides everything: a second run of it is the same to the nanosecond.
// Where a process has two users one thing is left to Go's scheduler: which of two
// goroutines goes first that one flight wakes in one instant. That shows in about
// one of a thousand such seeds, so they are left out here.
func TestASeedReplaysExactly(t *testing.T) {
	for seed := *firstFlag; seed < *firstFlag+min(*seedsFlag, 200); seed++ {
		if draw(newChance(seed, 0)).users > 1 {
			continue
		}
		if a, b := run(t, seed, false), run(t, seed, false); a.hash != b.hash || a.violation != b.violation {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}

// found are the seeds that have shown a fault of the client, or what is left of
// it: as the scenarios change, a seed comes to mean another. rules_test.go has
// the rules that these faults have led to, and seeds that need them. The last four
// were mistakes of the oracle.
var found = map[uint64]string{
	3815:     "an import of the token that is kept forgot the generation that a lost write had taken from the store",
	8070:     "a generation that was read when a write had failed was forgotten, and the store lost it",
	1006646:  "a process that was stopped while it renewed its intent sent the token after its lease",
	1008480:  "a mark hit another token than the one that was refused",
	3513289:  "a mark was written again, over the intent of somebody who asked on purpose",
	4924630:  "a Refresh asked a flight that could not save yet again and again, without a pause",
	10587667: "a token that was brought after the callers had left was looked up in the store first",
	10268583: "the oracle did not see that a lost login had brought an intent back, which its owner could not release",
	10385645: "the oracle did not wait for a release that was under way",
	10437614: "the oracle took the release of an intent for tokens that are saved",
	31769696: "the oracle did not see that the store had lost the renewal of an intent, whose owner goes on",
}

func TestWhatWasFoundStaysMended(t *testing.T) {
	for seed, what := range found {
		if r := run(t, seed, true); r.violation != "" {
			t.Errorf("seed %d (%s): %s\n%s", seed, what, r.violation, tail(r.trace, 40))
		}
	}
}

type stats struct{ runs, faults, renewals, lost int }

func (s *stats) add(o stats) {
	s.runs += o.runs
	s.faults += o.faults
	s.renewals += o.renewals
	s.lost += o.lost
}

func (s stats) String() string {
	return fmt.Sprintf("%d faults, %d renewals, %d grants lost as cannot be avoided", s.faults, s.renewals, s.lost)
}
