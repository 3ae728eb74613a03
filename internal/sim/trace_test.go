package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// A chance is a source of decisions. Each process has one of its own, so that
// what one draws does not change what another does.
type chance struct{ *rand.Rand }

func newChance(seed, of uint64) chance { return chance{rand.New(rand.NewPCG(seed, of))} }

// one tells whether a case of probability 1/n has come.
func (c chance) one(n int) bool { return c.IntN(n) == 0 }

// between draws from [low, high). To the nanosecond: no two things that happen
// have the same instant, and so time alone orders them.
func (c chance) between(low, high time.Duration) time.Duration {
	return low + time.Duration(c.Int64N(int64(high-low)))
}

func pick[T any](c chance, list ...T) T { return list[c.IntN(len(list))] }

// A trace is what happened in a run: always as a hash, and as lines if somebody
// wants to read it.
type trace struct {
	begun time.Time
	hash  uint64
	keep  bool
	lines []string
}

// note adds what happened. The words are constant: what differs between two runs
// differs in time as well.
func (w *world) note(p *process, words string, args ...any) {
	t := &w.trace
	if w.ended {
		return
	}
	id := 0
	if p != nil {
		id = p.id
	}
	// A sum, since two goroutines of one process may come here in one instant:
	// a caller that is served, and the flight that goes on to tell its events.
	const prime = 1099511628211
	now := time.Since(t.begun)
	h := (uint64(id)*prime ^ uint64(now)) * prime
	for i := range len(words) {
		h = (h ^ uint64(words[i])) * prime
	}
	t.hash += h
	if !t.keep {
		return
	}
	who := "world"
	if p != nil {
		who = fmt.Sprintf("%c%d", 'A'+p.slot, p.id)
	}
	t.lines = append(t.lines, fmt.Sprintf("%12.6f %-6s %s", now.Seconds(), who, fmt.Sprintf(words, args...)))
}

// violated records that an invariant is broken. The first is the one that counts.
func (w *world) violated(p *process, invariant, words string, args ...any) {
	if w.ended || w.violation != "" {
		return
	}
	w.violation = invariant + ": " + fmt.Sprintf(words, args...)
	w.note(p, "VIOLATION of %s", w.violation)
}

// tail returns the last lines of a trace.
func tail(trace string, n int) string {
	lines := strings.Split(trace, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func (t *trace) String() string { return strings.Join(t.lines, "\n") }
