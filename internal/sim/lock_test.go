package sim

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

// A lockingDesk is a desk of a store with locks.
type lockingDesk struct{ *desk }

func (d *lockingDesk) Lock(ctx context.Context, key tokenstore.Key) (unlock func(), err error) {
	p, w := d.p, d.p.w
	if !p.gate() {
		return nil, errOver
	}
	t := &ticket{p: p, got: make(chan struct{})}
	w.mu.Lock()
	m := message{what: "lock", there: p.chance.between(time.Microsecond, 5*time.Millisecond), back: time.Nanosecond, mayEnd: true}
	if w.strike(p, noLock) {
		m.err = errors.New("locks are not to be had")
	} else {
		m.effect = func() { w.place.enqueue(key, t) }
	}
	w.mu.Unlock()
	if err := p.send(ctx, m); err != nil {
		w.leave(key, t)
		return nil, err
	}
	select {
	case <-t.got:
	case <-ctx.Done():
		w.leave(key, t)
		return nil, ctx.Err()
	case <-w.over:
		return nil, errOver
	}
	if !p.gate() {
		return nil, errOver
	}
	w.mu.Lock()
	w.note(p, "has the lock")
	w.mu.Unlock()
	return func() { w.leave(key, t) }, nil
}

func (s *place) lock(key tokenstore.Key) *lock {
	for _, l := range s.locks {
		if l.key == key {
			return l
		}
	}
	return nil
}

func (s *place) enqueue(key tokenstore.Key, t *ticket) {
	l := s.lock(key)
	if l == nil {
		l = &lock{key: key}
		s.locks = append(s.locks, l)
	}
	l.queue = append(l.queue, t)
	l.next(t.p.w)
}

// next hands a free lock over, a moment later.
func (l *lock) next(w *world) {
	if l.holder != nil || len(l.queue) == 0 {
		return
	}
	t := l.queue[0]
	l.holder, l.queue = t, l.queue[1:]
	t.since = time.Now()
	time.AfterFunc(t.p.chance.between(time.Microsecond, time.Millisecond), func() { close(t.got) })
	w.note(t.p, "gets the lock")
}

func (w *world) leave(key tokenstore.Key, t *ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.place.lock(key)
	if l == nil || w.ended {
		return
	}
	l.queue = slices.DeleteFunc(l.queue, func(o *ticket) bool { return o == t })
	if l.holder == t {
		l.holder = nil
		l.next(w)
	}
}

// abandon frees what a dead process held, at once.
func (s *place) abandon(p *process) {
	for _, l := range s.locks {
		l.queue = slices.DeleteFunc(l.queue, func(o *ticket) bool { return o.p == p })
		if l.holder != nil && l.holder.p == p {
			l.holder = nil
			l.next(p.w)
		}
	}
}

// holds tells since when p has the lock; zero: it has not.
func (s *place) holds(p *process, key tokenstore.Key) time.Time {
	if l := s.lock(key); l != nil && l.holder != nil && l.holder.p == p {
		return l.holder.since
	}
	return time.Time{}
}
