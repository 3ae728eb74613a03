package client

import (
	"context"
	"sync"
	"time"
)

// aheadAtOnce bounds the renewals of a Client that are under way and that nobody
// waits for. A server that is silent holds so many, and not one for each account in
// use; one that answers within 100 ms is asked 640 times a second.
const aheadAtOnce = 64

// places are for the renewals ahead of time. Those that find none wait in a queue,
// without a goroutine each, and callers never do: when a token has ended before its
// turn came, the first of them renews it.
type places struct {
	mu    sync.Mutex
	taken int
	queue []*keeper // each once
}

// take takes a place for k, or puts k into the queue; k.mu is held.
func (p *places) take(k *keeper) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken < aheadAtOnce {
		p.taken++
		return true
	}
	if !k.queued {
		k.queued = true
		p.queue = append(p.queue, k)
	}
	return false
}

// give gives a place back, to whoever has waited the longest for one.
func (p *places) give() {
	p.mu.Lock()
	p.taken--
	p.mu.Unlock()
	for k := p.next(); k != nil; k = p.next() {
		k.turn()
	}
}

// next takes a keeper out of the queue if there is a place.
func (p *places) next() *keeper {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == aheadAtOnce || len(p.queue) == 0 {
		return nil
	}
	k := p.queue[0]
	p.queue[0], p.queue = nil, p.queue[1:]
	return k
}

// turn tells a keeper that there is a place for it, which it may not need any more.
func (k *keeper) turn() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queued = false
	k.renewInUse()
}

// wake is what the timer of a keeper does.
func (k *keeper) wake() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renewInUse()
}

// renewInUse renews a grant in use ahead of time; k.mu is held.
func (k *keeper) renewInUse() {
	s, now := k.current.Load(), time.Now()
	if !k.client.cfg.Background || k.flight != nil || s == nil || !s.used.Load() || !s.renew.reached(now) || !s.working(now) {
		return
	}
	k.renewAhead(k.client.life, want{idle: true})
}

// renewAhead begins a renewal that nobody waits for, at once or when it is its turn;
// k.mu is held, and there is no flight.
func (k *keeper) renewAhead(ctx context.Context, w want) {
	w.ahead = true
	if k.client.places.take(k) {
		_, _ = k.begin(ctx, w, (*flight).renew) // fails once the Client is closed, and then places are for nobody
	}
}

// vacate gives back the place of a flight, if it has one.
func (f *flight) vacate() {
	if f.want.ahead {
		f.left.Do(f.keeper.client.places.give)
	}
}
