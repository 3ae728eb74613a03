package sim

import (
	"context"
	"errors"
	"time"

	"github.com/regrant/regrant/client"
)

// settle lets the trouble end, and judges what is left: whose grant lives works
// again without a login, and whoever does not says why.
func (w *world) settle() {
	w.mu.Lock()
	w.note(nil, "from here on it is calm")
	w.calm = true
	for _, p := range w.all {
		p.resume()
	}
	w.mu.Unlock()
	sleep(40 * time.Second) // closed processes are replaced, what is under way arrives
	sleep(w.sc.lifetime)
	lost, again := w.judge(w.askAll(40))
	if again {
		lost, _ = w.judge(w.askAll(40))
	}
	if w.broken() {
		return
	}
	if lost {
		w.running()[0].logIn()
		sleep(5 * time.Second)
		for p, err := range w.askAll(12) {
			w.mu.Lock()
			if row := w.place.rows[w.key]; err != nil && (row == nil || !w.excused(w.as.tokens[row.rec.RefreshToken])) {
				w.violated(p, "liveness", "somebody has logged in, and this process still says: %v", err)
			}
			w.mu.Unlock()
		}
	}
	w.mu.Lock()
	w.leftovers()
	w.mu.Unlock()
	for _, p := range w.running() {
		if err := p.client.Close(); err != nil {
			w.mu.Lock()
			w.violated(p, "liveness", "Close: %v", err)
			w.mu.Unlock()
		}
	}
}

// running returns the processes that run.
func (w *world) running() (all []*process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.live {
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

// askAll asks every process for a token, up to so many times.
func (w *world) askAll(tries int) map[*process]error {
	type answer struct {
		p   *process
		err error
	}
	c := make(chan answer)
	all := w.running()
	for _, p := range all {
		w.mu.Lock()
		own := newChance(p.chance.Uint64(), 2)
		w.mu.Unlock()
		go func() { c <- answer{p, p.insist(own, tries)} }()
	}
	errs := map[*process]error{}
	for range all {
		a := <-c
		errs[a.p] = a.err
	}
	return errs
}

// insist asks until it works, or until the answer is that a login is required
// and stays so.
func (p *process) insist(c chance, tries int) (err error) {
	required := 0
	for range tries {
		sleep(c.between(time.Microsecond, 5*time.Second))
		err = p.asks(context.Background(), c, "Token", nil)
		if err == nil || p.w.broken() {
			return nil
		}
		if errors.Is(err, client.ErrLoginRequired) {
			if required++; required == 8 {
				return err
			}
		}
	}
	return err
}

// judge tells whether the grant is lost or ended, which must have a reason;
// again: a lie was put right by somebody who asked on purpose.
func (w *world) judge(errs map[*process]error) (lost, again bool) {
	w.mu.Lock()
	row := w.place.rows[w.key]
	w.mu.Unlock()
	for _, p := range w.running() {
		err := errs[p]
		if err == nil {
			continue
		}
		var e *client.Error
		w.mu.Lock()
		if !errors.Is(err, client.ErrLoginRequired) || !errors.As(err, &e) || e.Code == "" && row != nil {
			w.violated(p, "liveness", "it is calm, and it says: %v", err)
		}
		w.mu.Unlock()
		if row == nil {
			lost = true
			continue
		}
		t := w.as.tokens[row.rec.RefreshToken]
		w.mu.Lock()
		usable := w.as.usable(t)
		switch {
		case usable && (t.family.lied || t.family.lostWrite || w.sc.fault[refused]):
		case usable:
			w.violated(p, "liveness", "%s lives, and it says: %v", t.value, err)
		case !w.excused(t):
			w.violated(p, "liveness", "the grant is lost: %s; it says: %v", t.value, err)
		default:
			lost = true
			w.oracle.losses = 1
		}
		w.mu.Unlock()
		if usable && !w.broken() { // whoever asks on purpose is not held up by a refusal
			err := p.asks(context.Background(), newChance(w.seed, 3), "Refresh", nil)
			w.mu.Lock()
			usable = w.as.usable(t) // a grace may have ended
			w.mu.Unlock()
			if err != nil && usable {
				w.mu.Lock()
				w.violated(p, "liveness", "%s lives, and an explicit Refresh says: %v", t.value, err)
				w.mu.Unlock()
			}
			return false, true
		}
	}
	return lost, false
}

// excused tells whether a fault that no client can mend has cost the grant: the
// table in section 5 of the protocol.
func (w *world) excused(t *refreshToken) bool {
	f := t.family
	if f.revoked || f.again || w.oracle.reverted {
		return true
	}
	if f.reused != nil && f.reused != t && w.excuse(f.reused) {
		return true
	}
	return w.excuse(t)
}

// doubled tells whether t was sent more than once, for a reason that excuses it.
func (t *refreshToken) doubled() bool {
	return t.overrun || t.late || t.twice || t.skewed || t.family.lostWrite
}

func (w *world) excuse(t *refreshToken) bool {
	unanswered := false // the answer is lost, or whoever had it has died
	for _, q := range t.spends {
		unanswered = unanswered || q.committed && !q.saved && (q.p.dead || q.lost)
	}
	sibling := t.parent != nil && t.parent.doubled() // t is one of two, and not the one that counts
	graceOver := t.expired || t.family.lied || w.sc.fault[refused]
	switch w.sc.kind {
	case strictFamily, burnsOnRefuse:
		return unanswered || t.doubled() || t.burnt
	case strict:
		return unanswered || t.twice || t.family.lostWrite && w.forgotten()
	case graceNew, graceSame:
		return graceOver && (unanswered || t.doubled() || sibling)
	case oneSlot:
		return graceOver && unanswered || t.doubled() || sibling
	case commitOnUse:
		return sibling || t.family.lostWrite && w.forgotten()
	}
	return false
}

// forgotten tells whether nobody is left who knows more than the store.
func (w *world) forgotten() bool {
	row := w.place.rows[w.key]
	for _, p := range w.live {
		if p != nil && p.note.seen[row.rec.Grant] > row.rec.Generation {
			return false
		}
	}
	return true
}

// loggedOut judges what a logout has said.
func (w *world) loggedOut(c *call, err error) {
	p, now := c.p, w.place.rows[w.key]
	var e *client.Error
	done := err == nil || errors.As(err, &e) && e.Op == "logout"
	if done && c.found != nil && now != nil && now.rec.Same(c.found.rec) && !w.oracle.reverted {
		if f := w.as.tokens[now.rec.RefreshToken].family; !f.again && !f.lostWrite {
			w.violated(p, "5 logout wins", "Logout is done, and the grant is still kept")
		}
	}
	if f := p.note.deleted; err == nil && f != nil && !f.dead && w.sc.users == 1 && w.sc.revokes != revokesToken {
		w.violated(p, "5 logout wins", "Logout is done, and family %d lives", f.n)
	}
}

// leftovers judges that no token of a grant that was logged out lives on.
func (w *world) leftovers() {
	row := w.place.rows[w.key]
	for _, f := range w.as.families {
		if !f.ended || f.dead || f.unconfirmed || f.lostWrite || f.again || row != nil && w.as.tokens[row.rec.RefreshToken].family == f {
			continue
		}
		for _, t := range f.tokens {
			if w.as.usable(t) && !w.abandoned(t) {
				w.violated(nil, "5 logout wins", "%s lives on after the logout", t.value)
			}
		}
	}
}

// abandoned tells whether nobody had t to revoke it: its holder died, the answer
// was lost, it is the sibling that a holder dropped who had overrun its lease, or
// a login followed the logout so soon that the holder found another grant.
func (w *world) abandoned(t *refreshToken) bool {
	for ; t != nil; t = t.parent {
		if t.overrun || t.late || t.twice || t.skewed {
			return true
		}
		for _, q := range t.spends {
			if q.p.dead || q.lost || q.dropped {
				return true
			}
		}
	}
	return false
}
