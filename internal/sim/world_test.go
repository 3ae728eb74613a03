package sim

import (
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

const issuer = "https://as.example"

// A world is one store, one authorization server, and the processes that share
// them. What happens in it takes time, drawn from the seed to the nanosecond, so
// that at each instant one thing happens; the fake clock of the bubble puts all
// in order.
type world struct {
	sc    scenario
	key   tokenstore.Key
	trace trace

	mu        sync.Mutex // guards all that follows, and the processes
	chance    chance
	seed      uint64
	budget    int
	struck    int
	calm      bool          // no more faults
	over      chan struct{} // closed when nothing counts any more
	ended     bool
	started   int // processes
	live      [3]*process
	all       []*process
	place     place
	as        *server
	violation string
	oldToken  string // what programs import at each start
	oracle    oracle
	busy      sync.WaitGroup // goroutines of ours
}

// A result is what a run leaves.
type result struct {
	violation string
	hash      uint64
	trace     string
	sc        scenario
	stats     stats
}

// run runs the world of a seed. keep keeps its trace as text.
func run(t *testing.T, seed uint64, keep bool) (res result) {
	return simulate(t, seed, keep, draw, nil)
}

// simulate runs a world: draw says which, and history, if there is one, what
// happens in it before it is calm.
func simulate(t *testing.T, seed uint64, keep bool, draw func(chance) scenario, history func(w *world)) (res result) {
	synctest.Test(t, func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, seed)
		w := &world{
			key:    tokenstore.Key{Issuer: issuer, ClientID: "sim", Account: "alice"},
			trace:  trace{begun: time.Now(), keep: keep},
			seed:   seed,
			chance: newChance(seed, 0),
			over:   make(chan struct{}),
		}
		w.sc = draw(w.chance)
		w.budget = w.sc.budget
		w.place.init()
		w.oracle.init()
		w.as = &server{w: w, tokens: map[string]*refreshToken{}, access: map[string]*accessToken{}}
		w.play(history)
		res = result{violation: w.violation, hash: w.trace.hash, trace: w.trace.String(), sc: w.sc, stats: w.stats()}
	})
	return res
}

func (w *world) stats() stats {
	return stats{1, w.struck, w.oracle.renewals, w.oracle.losses}
}

func (w *world) play(history func(w *world)) {
	w.note(nil, "scenario %+v", w.sc)
	w.calm = true
	for slot := range w.sc.slots {
		w.start(slot)
	}
	w.live[0].logIn()
	w.mu.Lock()
	w.calm = false
	for _, p := range w.live {
		if p != nil {
			p.employ()
		}
	}
	w.mu.Unlock()
	if history != nil {
		history(w)
	}
	for end := time.Now().Add(w.sc.span); time.Now().Before(end) && !w.broken(); {
		w.trouble()
	}
	if !w.broken() {
		w.settle()
	}
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	close(w.over)
	for _, p := range w.all {
		_ = p.client.Close()
	}
	w.busy.Wait()
}

func (w *world) broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.violation != ""
}

// trouble is what comes from outside while processes work.
func (w *world) trouble() {
	w.mu.Lock()
	c := w.chance
	d := c.between(time.Second, w.sc.lifetime)
	w.mu.Unlock()
	sleep(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.live[c.IntN(w.sc.slots)]
	switch {
	case p == nil:
	case w.strike(nil, revocation):
		w.as.revokeAll()
	case !p.closing && w.strike(p, death):
		p.die()
	case w.strike(p, pause):
		p.stop(c.between(time.Second, 90*time.Second))
	case w.strike(p, jump):
		w.sc.skew[p.slot] += pick(c, c.between(-3*time.Minute, 3*time.Minute), c.between(-24*time.Hour, 24*time.Hour))
		w.oracle.jumped = true
	case w.sc.action[retires] && c.one(6) && !p.paused() && !p.dead && !p.closing:
		p.retire()
	}
}

// strike tells whether a fault of that kind happens now, and counts it.
func (w *world) strike(p *process, f fault) bool {
	if p != nil && p.due == f && p.planned {
		p.planned = false
		w.note(p, "FAULT: %v", f)
		return true
	}
	if w.calm || w.budget == 0 || !w.sc.fault[f] {
		return false
	}
	c := w.chance
	if p != nil {
		c = p.chance
	}
	if !c.one(w.sc.rarity) {
		return false
	}
	w.budget--
	w.struck++
	w.note(p, "FAULT: %v", f)
	return true
}

// sleep lets time pass.
func sleep(d time.Duration) { time.Sleep(d) }
