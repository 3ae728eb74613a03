package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
)

// A history is a script: two processes, X and Y, and what happens to them. What
// takes how long is still drawn from a seed, and everything is judged as always.
type history struct {
	name  string
	kinds []kind
	locks []bool
	set   func(*scenario) // nil: a grace of a minute
	play  func(w *world, x, y *process)
}

var (
	withGrace = []kind{graceNew, graceSame, nonRotating, sameForAll, commitOnUse}
	allKinds  = []kind{strictFamily, strict, graceNew, graceSame, oneSlot, commitOnUse, nonRotating, sameForAll, burnsOnRefuse}
	both      = []bool{false, true}
)

// histories are the scenarios of the protocol, and what no seed has hit upon.
var histories = []history{
	{name: "S1 a holder of the lock is stopped", kinds: withGrace, locks: []bool{true}, play: func(w *world, x, y *process) {
		x.at("before refresh request", func(*message) { x.stop(25 * time.Second) })
		got := x.getting()
		sleep(2 * time.Second)
		w.within(17*time.Second, "Y goes on without the lock", y.get)
		w.expect(<-got == nil, "X gets a token, too")
	}},
	{name: "S1 a holder of the lock is stopped with the answer", kinds: []kind{strict, graceNew, graceSame}, locks: []bool{true}, play: func(w *world, x, y *process) {
		x.at("after refresh request", func(*message) { x.stop(25 * time.Second) })
		got := x.getting()
		sleep(2 * time.Second)
		begun := time.Now()
		_ = y.get() // at a strict server X alone can go on
		w.expect(time.Since(begun) < 17*time.Second, "Y hears after %v", time.Since(begun))
		w.expect(<-got == nil, "X gets a token, too")
	}},
	{name: "S2 a gateway gives up, and asks to come back after the grace", kinds: []kind{graceNew, graceSame}, locks: both, set: graceOf(30 * time.Second), play: func(w *world, x, y *process) {
		x.plan(gateway)
		w.within(5*time.Second, "X tries again inside the grace", x.get)
		w.works(y)
	}},
	{name: "S3 a crash without a lock, and a short grace", kinds: []kind{graceNew, graceSame, oneSlot}, locks: []bool{false}, set: graceOf(30 * time.Second), play: func(w *world, x, y *process) {
		x.at("after refresh request", func(*message) { x.die() })
		x.getting()
		sleep(time.Second)
		w.within(17*time.Second, "Y goes on after the lease", y.get)
	}},
	{name: "S4 who was refused hears of a login elsewhere", kinds: allKinds, locks: both, play: func(w *world, x, y *process) {
		w.revokeAll()
		w.expect(errors.Is(x.get(), client.ErrLoginRequired), "X hears that a login is required")
		y.logIn()
		sleep(5 * time.Second)
		w.works(x)
	}},
	{name: "S5 the store is down for X alone", kinds: []kind{strict, graceNew, graceSame}, locks: both, set: graceOf(2 * time.Minute), play: func(w *world, x, y *process) {
		x.at("after refresh request", func(*message) { x.down = time.Now().Add(30 * time.Second) })
		w.within(10*time.Second, "X gets its token unsaved", x.get)
		err := y.get()
		w.expect(err == nil || w.sc.kind == strict, "Y rotates by grace, and hears %v", err)
		sleep(time.Minute)
		w.works(x)
		w.works(y)
	}},
	{name: "S6 a background renewal, and its process ends without Close", kinds: allKinds, locks: both, set: func(s *scenario) {
		s.background, s.grace = true, 2*time.Minute
	}, play: func(w *world, x, y *process) {
		w.works(x)
		x.at("after refresh request", func(*message) { x.die() })
		sleep(w.sc.lifetime)
		w.expect(w.isDead(x), "X renews in the background")
		err := y.get()
		mended := w.sc.kind >= graceNew && w.sc.kind != burnsOnRefuse
		w.expect(mended == (err == nil), "Y hears %v", err)
		w.expect(mended || strings.Contains(fmt.Sprint(err), "never received"), "Y is told of the lost answer: %v", err)
	}},
	{name: "S6 and with Close", kinds: allKinds, locks: both, play: func(w *world, x, y *process) {
		x.at("before refresh request", func(*message) { x.retire() })
		x.getting()
		sleep(3 * time.Second)
		w.works(y)
		w.expect(len(w.first().spends) == 1, "the token is sent %d times", len(w.first().spends))
	}},
	{name: "S7 a heartbeat fails", kinds: []kind{strictFamily, strict}, locks: both, play: trouble(storeError)},
	{name: "S7 a heartbeat meets a conflict", kinds: []kind{strictFamily, strict}, locks: both, play: trouble(conflict)},
	{name: "S8 the old token is imported while it is spent", kinds: allKinds, locks: both, play: func(w *world, x, y *process) {
		w.expect(x.importOld(context.Background()) == nil, "X brings its token")
		x.at("before refresh request", func(*message) { w.busy.Go(func() { _ = y.importOld(context.Background()) }) })
		w.works(x)
		w.works(y)
	}},
	{name: "S8 a dead token is imported again", kinds: allKinds, locks: both, play: func(w *world, x, y *process) {
		w.expect(x.importOld(context.Background()) == nil, "X brings its token")
		w.revokeAll()
		w.expect(errors.Is(x.get(), client.ErrLoginRequired), "X hears that a login is required")
		err := y.importOld(context.Background())
		w.expect(errors.Is(err, client.ErrLoginRequired), "Y is told that the token is dead: %v", err)
	}},
	{name: "S8 a login brings the same refresh token", kinds: []kind{nonRotating}, locks: both, set: func(s *scenario) { s.sameLogin = true }, play: func(w *world, x, y *process) {
		w.works(x)
		before := w.stored()
		x.logIn()
		w.expect(w.stored().rec.Grant != before.rec.Grant, "it is a new grant")
		sleep(w.sc.lifetime)
		w.works(y)
		w.works(x)
	}},
	{name: "H7 a backup is restored, and only a heartbeat has seen more", kinds: []kind{oneSlot}, locks: both, play: func(w *world, x, y *process) {
		got := w.overrun(x, y, nil)
		w.expect(<-got == nil, "X gets a token")
		w.expect(w.stored().rec.Generation >= 2, "generation %d is stored", w.stored().rec.Generation)
	}},
	{name: "H7 and the answer is lost", kinds: []kind{oneSlot}, locks: both, play: func(w *world, x, y *process) {
		got := w.overrun(x, y, errCut)
		w.expect(<-got == nil, "X gets a token")
		w.expect(len(w.first().spends) == 2, "the token is sent %d times", len(w.first().spends))
	}},
	{name: "H7 a logout revokes what the store has lost", kinds: []kind{strict, strictFamily}, locks: both, set: func(s *scenario) {
		s.revokes = revokesToken
	}, play: func(w *world, x, y *process) {
		before := w.stored()
		w.works(x)
		w.mu.Lock()
		newest := w.as.families[0].tokens[0].newest()
		w.lose(w.key, before, w.place.rows[w.key])
		w.mu.Unlock()
		x.logOut()
		w.mu.Lock()
		lives := w.as.usable(newest)
		w.mu.Unlock()
		w.expect(!lives, "%s is revoked", newest.value)
	}},
}

func graceOf(d time.Duration) func(*scenario) { return func(s *scenario) { s.grace = d } }

// trouble is a fault in a heartbeat, while the server takes its time.
func trouble(f fault) func(w *world, x, y *process) {
	return func(w *world, x, y *process) {
		x.at("before refresh request", func(m *message) {
			m.back = 25 * time.Second
			x.plan(f)
		})
		got := x.getting()
		sleep(3 * time.Second)
		w.works(y)
		w.expect(<-got == nil, "X gets its answer")
		w.expect(len(w.first().spends) == 1, "the token is sent %d times", len(w.first().spends))
	}
}

// overrun stops X beyond its lease, while its request is under way. Y renews; a
// heartbeat of X reads that; then all is as it was while X had its intent there.
// The answer to X, or lost, comes afterwards.
func (w *world) overrun(x, y *process, lost error) <-chan error {
	var backup *row
	x.at("before refresh request", func(m *message) {
		m.back, m.err = 28*time.Second, lost
		backup = w.place.rows[w.key]
	})
	got := x.getting()
	sleep(time.Second)
	w.mu.Lock()
	x.stop(20 * time.Second)
	w.mu.Unlock()
	w.works(y)
	x.at("after load", func(*message) { w.lose(w.key, backup, w.place.rows[w.key]) })
	return got
}

const historySeeds = 4

func TestEachHistoryOfTheProtocolEndsWell(t *testing.T) {
	for _, h := range histories {
		t.Run(h.name, func(t *testing.T) {
			for _, k := range h.kinds {
				for _, locked := range h.locks {
					for seed := range uint64(historySeeds) {
						if r := h.run(t, k, locked, seed, false); r.violation != "" {
							t.Fatalf("%v, locks %v: seed %d: %s\n%s", k, locked, seed, r.violation, tail(h.run(t, k, locked, seed, true).trace, 60))
						}
					}
				}
			}
		})
	}
}

func (h history) run(t *testing.T, k kind, locked bool, seed uint64, keep bool) result {
	set := func(c chance) scenario {
		s := draw(c)
		plain := scenario{
			kind: k, grace: time.Minute, familyEnds: s.familyEnds, revokes: s.revokes, lifetime: s.lifetime, slots: 2,
			lock: [3]bool{locked, locked, locked}, rarity: 1, storeLag: 30 * time.Millisecond, wireLag: 300 * time.Millisecond,
		}
		if h.set != nil {
			h.set(&plain)
		}
		return plain
	}
	return simulate(t, seed, keep, set, func(w *world) {
		sleep(w.sc.lifetime)
		h.play(w, w.live[0], w.live[1])
	})
}

// at plans something for the next time that a message of this kind is sent, or its
// answer is there.
func (p *process) at(moment string, act func(*message)) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.cues == nil {
		p.cues = map[string]func(*message){}
	}
	p.cues[moment] = act
}

// cue does what is planned for this moment; w.mu is held.
func (p *process) cue(moment string, m *message) {
	for planned, act := range p.cues {
		if strings.HasPrefix(moment, planned) {
			delete(p.cues, planned)
			act(m)
		}
	}
}

// plan makes a fault strike at the next opportunity.
func (p *process) plan(f fault) { p.due, p.planned = f, true }

// get asks for a token.
func (p *process) get() error {
	return p.asks(context.Background(), newChance(p.w.seed, uint64(100+p.id)), "Token", nil)
}

// getting asks for a token in the background.
func (p *process) getting() <-chan error {
	got := make(chan error, 1)
	p.w.busy.Go(func() { got <- p.get() })
	return got
}

func (w *world) expect(ok bool, words string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !ok {
		w.violated(nil, "history", "expected: "+words, args...)
	}
}

func (w *world) works(p *process) {
	err := p.get()
	w.expect(err == nil, "process %d works, and not: %v", p.id, err)
}

func (w *world) within(d time.Duration, words string, get func() error) {
	begun := time.Now()
	err := get()
	w.expect(err == nil && time.Since(begun) < d, "%s; it took %v: %v", words, time.Since(begun), err)
}

func (w *world) revokeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.as.revokeAll()
}

func (w *world) isDead(p *process) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return p.dead
}

func (w *world) stored() *row {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.place.rows[w.key]
}

// first is the refresh token of the first login.
func (w *world) first() *refreshToken {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.as.families[0].tokens[0]
}
