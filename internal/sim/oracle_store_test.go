package sim

import (
	"time"

	"github.com/regrant/regrant/internal/record"
)

// loaded is what a process has just read.
func (p *process) loaded(found *row) {
	n := &p.note
	n.absent = found == nil
	if found != nil {
		n.seen[found.rec.Grant] = max(n.seen[found.rec.Grant], found.rec.Generation)
	}
	for _, q := range n.spends {
		if q.answered && !q.settled && (found == nil || found.rec.Grant != q.claim.rec.Grant || found.rec.Generation >= q.claim.rec.Intent.Attempt) {
			q.settled = true // it drops what it has
			q.dropped = found != nil && found.rec.Grant != q.claim.rec.Grant
		}
	}
}

// saves judges that a process has decided to save renewed tokens.
func (p *process) saves(rec *record.Record) {
	if rec.Generation == 0 || rec.Intent != nil || rec.Refused != nil {
		return
	}
	if c := p.note.claim; c != nil && c.rec.Same(rec) && c.rec.Generation == rec.Generation {
		return // it takes its intent back
	}
	if seen := p.note.seen[rec.Grant]; seen > rec.Generation && !p.w.oracle.reverted {
		p.w.violated(p, "3 never go back", "generation %d is saved by a process that knows generation %d", rec.Generation, seen)
	}
}

// changed judges a write that was done. before or after is nil for nothing.
func (w *world) changed(p *process, before, after *row) {
	var old, rec *record.Record
	if before != nil {
		old = before.rec
	}
	if after != nil {
		rec = after.rec
	}
	w.describe(p, rec)
	switch {
	case rec == nil:
		w.deleted(p, old)
	case old == nil || !old.Same(rec):
		w.replaced(p, old, rec)
	case rec.Generation < old.Generation:
		w.violated(p, "3 never go back", "generation %d is written over generation %d", rec.Generation, old.Generation)
	case rec.Generation == old.Generation:
		w.rewritten(p, before, rec)
	default:
		w.renewed(p, old, rec)
	}
	if rec == nil {
		return
	}
	w.oracle.saved[rec.AccessToken] = true
	p.note.seen[rec.Grant] = max(p.note.seen[rec.Grant], rec.Generation)
	if i := rec.Intent; i != nil {
		c := w.oracle.claims[i.ID]
		if c == nil {
			c = &claim{p: p, since: time.Now()}
			w.oracle.claims[i.ID] = c
		}
		c.rec, c.older = rec, false
		if !p.dead {
			p.note.claim = c
		}
	}
}

func (w *world) describe(p *process, rec *record.Record) {
	switch {
	case !w.trace.keep:
	case rec == nil:
		w.note(p, "the record is deleted")
	default:
		intent, mark := "", ""
		if i := rec.Intent; i != nil {
			intent = ", intent " + i.ID[:4]
		}
		if rec.Refused != nil {
			mark = ", refused"
		}
		w.note(p, "stored: grant %.6s, generation %d, %s%s%s", rec.Grant, rec.Generation, rec.RefreshToken, intent, mark)
	}
}

// ends notes what took an intent out of the store.
func (w *world) ends(old *record.Record, by *record.Record, why string) {
	if old == nil || old.Intent == nil || by != nil && by.Intent != nil && by.Intent.ID == old.Intent.ID {
		return
	}
	if c := w.oracle.claims[old.Intent.ID]; c != nil && c.ended == "" {
		c.ended = why
		if c.older && why == leaseOver {
			c.ended = "lost write"
		}
	}
}

func (w *world) deleted(p *process, old *record.Record) {
	w.ends(old, nil, "logout")
	t := w.as.tokens[old.RefreshToken]
	t.family.ended, p.note.deleted = true, t.family
	if !p.note.recently(1) {
		w.violated(p, "4 never destroy what you did not read", "the record is deleted without a logout")
	}
	if e := p.note.ending; len(e) > 0 && e[0] != t.family && w.sc.users == 1 {
		w.violated(p, "4 never destroy what you did not read", "a logout that found one grant has deleted another")
	}
	if !p.note.revoked[t.family] {
		w.violated(p, "5 logout wins", "the record is deleted before %s is revoked: a crash now leaves a live token that nobody knows", old.RefreshToken)
	}
}

// replaced judges that another grant is written, or the first.
func (w *world) replaced(p *process, old, rec *record.Record) {
	w.ends(old, rec, "login")
	switch {
	case !p.note.recently(0) || rec.Generation != 0 || rec.Intent != nil:
		if old == nil {
			w.violated(p, "5 logout wins", "the grant is back that was deleted")
		} else {
			w.violated(p, "4 never destroy what you did not read", "another grant is written over, and nobody has logged in")
		}
	case old != nil && old.RefreshToken == rec.RefreshToken && !w.sc.sameLogin:
		w.violated(p, "3 never go back", "importing what is kept has overwritten it")
	}
	if w.oracle.grants[rec.Grant] { // brought again after its end: it begins anew, as far as it can
		w.as.tokens[rec.RefreshToken].family.again = true
		for _, o := range w.all {
			delete(o.note.seen, rec.Grant)
		}
	}
	w.oracle.grants[rec.Grant] = true
}

// rewritten judges a write that leaves the tokens as they are: an intent, its
// end, or a mark.
func (w *world) rewritten(p *process, before *row, rec *record.Record) {
	old := before.rec
	if rec.RefreshToken != old.RefreshToken || rec.AccessToken != old.AccessToken {
		w.violated(p, "4 never destroy what you did not read", "other tokens are written with the same generation %d", rec.Generation)
		return
	}
	marks := rec.Refused != nil && (old.Refused == nil || rec.Intent == nil && !rec.Refused.When.Equal(old.Refused.When))
	switch {
	case marks:
		w.ends(old, rec, "mark")
		t := w.as.tokens[rec.RefreshToken]
		if !p.note.refused[rec.RefreshToken] {
			w.violated(p, "4 never destroy what you did not read", "%s is marked, and the server did not say invalid_grant about it", rec.RefreshToken)
		}
		if w.as.usable(t) && !t.family.lied && !t.family.lostWrite {
			w.violated(p, "4 never destroy what you did not read", "%s is marked and lives", rec.RefreshToken)
		}
	case old.Refused != nil && rec.Refused == nil:
		w.violated(p, "4 never destroy what you did not read", "a mark is gone, and nothing has changed")
	case rec.Intent == nil:
		w.ends(old, rec, "release")
		if old.Intent != nil && w.oracle.claims[old.Intent.ID].p != p {
			w.violated(p, "1 one spender", "the intent of another process is released")
		}
	case old.Intent != nil && old.Intent.ID != rec.Intent.ID:
		w.ends(old, rec, w.takenOver(p, before, rec))
	}
}

// takenOver judges that p writes its intent over another's, and says why it may.
func (w *world) takenOver(p *process, before *row, rec *record.Record) string {
	i := before.rec.Intent
	owner := w.oracle.claims[i.ID]
	lease := min(i.Lease, time.Minute)
	age := time.Since(before.since)
	held := w.place.holds(p, w.key)
	if rec.Intent.Attempt != i.Attempt+1 {
		w.violated(p, "1 one spender", "attempt %d follows attempt %d", rec.Intent.Attempt, i.Attempt)
	}
	switch {
	case age >= lease:
		if w.needless(owner, rec) {
			w.violated(p, "liveness", "it had to wait for the end of a lease: process %d has not released its intent although nothing was spent", owner.p.id)
		}
		return leaseOver
	case owner.p == p && owner.given && time.Since(owner.giveAt) >= settleTime:
	case i.Locked && !held.IsZero() && time.Since(held) >= settleTime:
	case w.skewed(p, owner.p):
		w.as.tokens[rec.RefreshToken].skewed = true
		return "skewed clocks"
	case p.dead: // it may have had the lock when it decided
	case !w.sc.lock[p.slot] && time.Now().Add(w.sc.skew[p.slot]).Sub(i.Started) > lease+maxSkew:
	default:
		w.violated(p, "1 one spender", "the intent of process %d is taken over after %v", owner.p.id, age)
	}
	return "takeover"
}

// needless tells whether the owner of an intent has known for long that nothing
// was spent under it, and nothing has kept it from taking it back.
func (w *world) needless(c *claim, rec *record.Record) bool {
	const patience = 10 * time.Second // for a write, and another after a conflict
	o := c.p
	return !c.idle.IsZero() && time.Since(c.idle) > patience && o.stalls.Before(c.idle) && (!o.dead || o.diedAt.Sub(c.idle) > patience) &&
		!w.as.tokens[rec.RefreshToken].family.lostWrite && !w.oracle.reverted
}

// renewed judges that newer tokens are saved.
func (w *world) renewed(p *process, old, rec *record.Record) {
	w.ends(old, rec, "late save")
	for _, q := range p.note.spends {
		if q.answered && q.claim.rec.Same(rec) && q.claim.rec.Intent.Attempt == rec.Generation {
			q.settled, q.saved = true, true
		}
	}
}

// lostWrite is what the store does to after.
func (w *world) lostWrite(before, after *row) {
	if t := w.as.tokens[after.rec.RefreshToken]; t != nil {
		t.family.lostWrite = true
	}
	var rec *record.Record
	if before != nil {
		rec = before.rec
	}
	if rec == nil || !rec.Same(after.rec) {
		w.oracle.reverted = true
	}
	w.ends(after.rec, rec, "lost write")
	if rec != nil && rec.Intent != nil {
		if c := w.oracle.claims[rec.Intent.ID]; c != nil {
			c.ended, c.older = "", after.rec.Intent != nil && after.rec.Intent.ID == rec.Intent.ID
		}
	}
}
