package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// A place is what all processes share: rows with versions, and locks.
type place struct {
	rows  map[tokenstore.Key]*row
	locks []*lock
	n     int
}

// A row is one content of one key. It is never changed.
type row struct {
	data    []byte
	version tokenstore.Version
	rec     *record.Record
	since   time.Time
}

type lock struct {
	key    tokenstore.Key
	holder *ticket
	queue  []*ticket
}

type ticket struct {
	p     *process
	got   chan struct{}
	since time.Time
}

func (s *place) init() {
	s.rows = map[tokenstore.Key]*row{}
}

// write replaces a row whose version is old; data nil deletes it.
func (w *world) write(p *process, key tokenstore.Key, data []byte, rec *record.Record, old tokenstore.Version) (tokenstore.Version, error) {
	before := w.place.rows[key]
	if before == nil && old != "" || before != nil && before.version != old {
		return "", tokenstore.ErrConflict
	}
	if data == nil {
		delete(w.place.rows, key)
	} else {
		w.place.n++
		w.place.rows[key] = &row{data, tokenstore.Version(fmt.Sprintf("v%d", w.place.n)), rec, time.Now()}
	}
	if key == w.key {
		w.changed(p, before, w.place.rows[key])
	}
	if data == nil {
		return "", nil
	}
	return w.place.rows[key].version, nil
}

// lose undoes the last write, as a failover to a replica that lags does.
func (w *world) lose(key tokenstore.Key, before, after *row) {
	if w.place.rows[key] != after {
		return
	}
	w.note(nil, "the store loses the last write")
	if before == nil {
		delete(w.place.rows, key)
	} else {
		w.place.rows[key] = before
	}
	if key == w.key {
		w.lostWrite(before, after)
	}
}

// A desk is what a process has of the place. It is Protected, so that the oracle
// can read the records.
type desk struct{ p *process }

func (*desk) Protected() {}

var errStore = errors.New("the store has failed")

func (d *desk) Load(ctx context.Context, key tokenstore.Key) (data []byte, v tokenstore.Version, err error) {
	p, w := d.p, d.p.w
	if !p.gate() {
		return nil, "", tokenstore.ErrNotFound
	}
	if ctx.Err() != nil { // decides nothing
		return nil, "", ctx.Err()
	}
	var found *row
	w.mu.Lock()
	m := p.storeCall("load", 4)
	m.effect = func() { found = w.place.rows[key] }
	w.mu.Unlock()
	if err := p.send(ctx, m); err != nil {
		if errors.Is(err, errOver) {
			return nil, "", tokenstore.ErrNotFound
		}
		return nil, "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if key == w.key {
		p.loaded(found)
	}
	if found == nil {
		return nil, "", tokenstore.ErrNotFound
	}
	data = slices.Clone(found.data)
	if skew := w.sc.skew[p.slot]; skew != 0 {
		data = encode(shifted(found.rec, -skew), key)
	}
	return data, found.version, nil
}

func (d *desk) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	p, w := d.p, d.p.w
	if !p.gate() {
		return "over", nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	data = slices.Clone(data)
	rec, err := record.Decode(data, key.String())
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	if key == w.key {
		p.saves(rec)
	}
	if key == w.key && w.sc.slowBeat[p.slot] && rec.Intent != nil {
		if now := w.place.rows[key]; now != nil && now.version == old && now.rec.Intent != nil &&
			now.rec.Intent.ID == rec.Intent.ID && time.Since(now.since) < 12*time.Second {
			w.mu.Unlock()
			return old, nil // a version with a lease of 45 s would not write yet
		}
		i := *rec.Intent
		i.Lease *= 3
		rec = rec.With(&i)
		data = encode(rec, key)
	}
	if skew := w.sc.skew[p.slot]; skew != 0 {
		rec = shifted(rec, skew)
		data = encode(rec, key)
	}
	m := p.storeCall("save", 1)
	if w.strike(p, conflict) {
		m = message{what: "save", there: m.there, back: m.back, err: tokenstore.ErrConflict, effect: func() {}}
		p.stalls = time.Now()
	}
	m.mayEnd = key != w.key || rec.Intent != nil
	loses := w.strike(p, lostWrite)
	lag := p.chance.between(time.Millisecond, 3*time.Second)
	effect := m.effect != nil
	unwritten := m.err
	var written tokenstore.Version // later than anybody waits for, perhaps
	var failed error
	m.effect = func() {
		if !effect || errors.Is(unwritten, tokenstore.ErrConflict) {
			return
		}
		before := w.place.rows[key]
		if written, failed = w.write(p, key, data, rec, old); failed != nil || !loses {
			return
		}
		after := w.place.rows[key]
		time.AfterFunc(lag, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.lose(key, before, after)
		})
	}
	w.mu.Unlock()
	if serr := p.send(ctx, m); serr != nil {
		if errors.Is(serr, errOver) {
			return "over", nil
		}
		return "", serr
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return written, failed
}

func (d *desk) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	p, w := d.p, d.p.w
	if !p.gate() {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.mu.Lock()
	m := p.storeCall("delete", 1)
	effect := m.effect != nil
	var failed error // written later than anybody waits for, perhaps
	m.effect = func() {
		if effect && w.place.rows[key] != nil {
			_, failed = w.write(p, key, nil, nil, old)
		}
	}
	w.mu.Unlock()
	if serr := p.send(ctx, m); serr != nil {
		if errors.Is(serr, errOver) {
			return nil
		}
		return serr
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return failed
}

// storeCall decides what becomes of a call of the store: its effect is not nil
// if it takes effect. Reads are hit less often, since there are more of them.
func (p *process) storeCall(what string, rarity int) message {
	w, c := p.w, p.chance
	m := message{what: what, there: c.between(time.Microsecond, w.sc.storeLag), back: c.between(time.Microsecond, w.sc.storeLag), effect: func() {}, mayEnd: what == "load"}
	if time.Now().Before(p.down) {
		m.effect, m.err, p.stalls = nil, errStore, time.Now()
		return m
	}
	if rarity > 1 && !c.one(rarity) {
		return m
	}
	switch {
	case w.strike(p, storeError):
		m.err = errStore
		if c.one(2) {
			m.effect = nil
		}
		p.stalls = time.Now()
	case w.strike(p, storeHang):
		m.hang = true
		if c.one(3) {
			m.effect = nil
		}
		if c.one(2) {
			m.there = c.between(time.Microsecond, 20*time.Second)
		}
		p.stalls = time.Now().Add(20 * time.Second)
	case w.strike(p, storeSlow):
		m.there, m.back = c.between(time.Microsecond, 6*time.Second), c.between(time.Microsecond, 6*time.Second)
		p.stalls = time.Now().Add(12 * time.Second)
	}
	return m
}

func encode(rec *record.Record, key tokenstore.Key) []byte {
	data, err := rec.Encode(key.String())
	if err != nil {
		panic(err)
	}
	return data
}

// shifted is rec as a machine writes it whose wall clock is ahead by d. All
// processes of a bubble read one clock; what differs between machines is what
// they write, and what they make of what others wrote.
func shifted(rec *record.Record, d time.Duration) *record.Record {
	c := *rec
	for _, t := range []*time.Time{&c.LoggedIn, &c.Renewed, &c.Expiry, &c.RefreshExpiry} {
		if !t.IsZero() {
			*t = t.Add(d)
		}
	}
	for _, i := range []**record.Intent{&c.Intent, &c.Unanswered} {
		if *i != nil {
			moved := **i
			moved.Started, moved.Since = moved.Started.Add(d), moved.Since.Add(d)
			*i = &moved
		}
	}
	return &c
}
