package sim

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/internal/record"
)

const (
	settleTime = 2 * time.Second // how long a request may be under way, as the protocol has it
	saveGrace  = 5 * time.Second
	maxSkew    = 5 * time.Minute

	leaseOver = "lease over" // why an intent was taken over
)

// An oracle knows what no process can know: everything.
type oracle struct {
	claims   map[string]*claim    // by id of the intent
	saved    map[string]bool      // access tokens that were in the store
	grants   map[string]bool      // that were in the store
	received map[string]time.Time // access tokens that a process was given, and when
	jumped   bool
	reverted bool // a lost write has brought another grant back, or none
	renewals int
	losses   int
}

func (o *oracle) init() {
	o.claims, o.saved, o.grants, o.received = map[string]*claim{}, map[string]bool{}, map[string]bool{}, map[string]time.Time{}
}

// A claim is an intent that a process has written.
type claim struct {
	p      *process
	rec    *record.Record
	since  time.Time
	ended  string // what took it out of the store; "": it is there, or was never
	given  bool   // its owner has given up, and the intent stays on purpose
	giveAt time.Time
	idle   time.Time // since when its owner knows that nothing came of it
	older  bool      // the store has lost its last renewal, of which its owner believes that it was saved
}

// A spend is a request with a refresh token.
type spend struct {
	p         *process
	claim     *claim
	token     *refreshToken
	decided   time.Time
	departed  bool
	committed bool // the server has issued a successor for it
	answered  bool // with tokens
	lost      bool // its process cannot know
	lostAt    time.Time
	settled   bool // whatever can follow from it has followed
	saved     bool
	dropped   bool // a login has replaced the grant meanwhile
	harmless  bool // the server has not acted on it
}

// notes are what the oracle remembers of a process.
type notes struct {
	claim     *claim
	spends    []*spend
	seen      map[string]uint64 // the highest generation by grant that it was given, has read, or has written
	absent    bool              // the last look into the store found nothing
	refused   map[string]bool   // tokens about which this process heard invalid_grant
	revoked   map[*family]bool  // what it tried to revoke a token of
	notBefore map[string]time.Time
	token     *oauth2.Token
	loginAt   time.Time // the last time that a login was under way
	logoutAt  time.Time
	refreshAt time.Time
	ending    []*family // what the last logout has revoked
	deleted   *family   // and deleted
	active    [3]int    // logins, logouts, refreshes
}

func (n *notes) init() {
	n.seen, n.refused, n.revoked, n.notBefore = map[string]uint64{}, map[string]bool{}, map[*family]bool{}, map[string]time.Time{}
}

// recently tells whether a kind of call is under way, or its work may still be.
func (n *notes) recently(kind int) bool {
	at := [...]time.Time{n.loginAt, n.logoutAt, n.refreshAt}[kind]
	return n.active[kind] > 0 || time.Since(at) < 150*time.Second
}

// decides judges the moment at which a process has decided to send a token.
func (w *world) decides(p *process, value string) *spend {
	t, c := w.as.tokens[value], p.note.claim
	if t == nil {
		w.violated(p, "6 issuer-bound", "%s was never issued", value)
		t = &refreshToken{value: value, family: &family{}}
	}
	if c == nil || c.rec.RefreshToken != value {
		w.violated(p, "1 one spender", "%s is sent without an intent", value)
		c = &claim{p: p, rec: &record.Record{Intent: &record.Intent{}}}
	}
	q := &spend{p: p, claim: c, token: t, decided: time.Now()}
	w.note(p, "decides to send %s, attempt %d", value, c.rec.Intent.Attempt)
	now := w.place.rows[w.key]
	switch {
	case now != nil && now.rec.Intent != nil && now.rec.Intent.ID == c.rec.Intent.ID:
	case slices.Contains([]string{"late save", "mark", "logout", "login", "lost write", "skewed clocks"}, c.ended):
	default:
		w.violated(p, "1 one spender", "%s is sent although its intent is not in the store (%s)", value, c.ended)
	}
	if age := time.Since(c.rec.Intent.Started.Add(-w.sc.skew[p.slot])); age >= c.rec.Intent.Lease && !w.oracle.jumped && !w.sc.slowBeat[p.slot] {
		w.violated(p, "1 one spender", "%s is sent %v after its intent was written: the lease is over", value, age)
	}
	if n := len(p.note.spends); n > 0 {
		w.again(q, p.note.spends[n-1])
	}
	if seen := p.note.seen[c.rec.Grant]; seen > c.rec.Generation && !w.oracle.reverted {
		w.violated(p, "3 never go back", "%s is of generation %d, and this process knows generation %d", value, c.rec.Generation, seen)
	}
	for _, o := range t.spends {
		w.overlap(q, o)
	}
	t.overrun = t.overrun || c.ended == "late save" // whoever was late has had the answer: this one is the second
	for _, o := range p.note.spends {
		if !o.settled && !o.lost && !o.answered {
			w.violated(p, "9 a failing server is asked once", "two requests of one process at a time")
		}
	}
	if until := p.note.notBefore[value]; time.Now().Before(until) && !p.note.recently(0) {
		w.violated(p, "9 a failing server is asked once", "it is asked again %v too early", time.Until(until))
	}
	if left := time.Until(c.rec.Expiry); c.rec.AccessToken != "" && left > w.sc.lifetime/4+time.Second &&
		!p.note.recently(2) && !w.oracle.jumped && w.sc.skew == [3]time.Duration{} {
		w.violated(p, "8 a fresh token is free", "a token that lives for another %v is renewed", left)
	}
	t.spends, p.note.spends = append(t.spends, q), append(p.note.spends, q)
	return q
}

// overlap judges that q is sent while o, with the same token, may have an effect.
func (w *world) overlap(q, o *spend) {
	switch since := time.Since(o.lostAt); {
	case o.settled || o.harmless:
	case o.p.dead && !o.departed:
	case o.claim.ended == leaseOver && !o.p.stalls.Before(o.claim.since):
		w.note(q.p, "process %d has overrun its lease", o.p.id)
		q.token.overrun = true
	case o.p.dead && time.Since(o.p.diedAt) >= settleTime, o.lost && since >= settleTime:
	case q.token.family.lostWrite, q.token.family.again: // the intent, perhaps
		q.token.overrun = true
	case w.skewed(q.p, o.p):
		q.token.skewed = true
	case q.token.overrun, q.token.skewed: // what follows from that
	case o.p.dead:
		w.violated(q.p, "1 one spender", "%s is sent %v after the death of a process that was sending it", q.token.value, time.Since(o.p.diedAt))
	case o.lost:
		w.violated(q.p, "1 one spender", "%s is sent again %v after a request that was not answered", q.token.value, since)
	default:
		w.violated(q.p, "1 one spender", "%s is sent while process %d sends it", q.token.value, o.p.id)
	}
}

// again judges when q follows o, under the same intent: not as late as a proxy asks
// that knows nothing of the grace of the server behind it.
func (w *world) again(q, o *spend) {
	patience := 6*w.sc.storeLag + time.Second // to write the intent again, perhaps over a heartbeat
	if d := time.Since(o.lostAt); o.lost && o.claim == q.claim && d > settleTime+patience && q.p.stalls.Before(o.lostAt) {
		w.violated(q.p, "liveness", "%s is sent again only after %v", q.token.value, d)
	}
}

// skewed tells whether the clocks are further apart than is allowed, in a place
// where that matters.
func (w *world) skewed(p, o *process) bool {
	d := w.sc.skew[p.slot] - w.sc.skew[o.slot]
	return (!w.sc.lock[p.slot] || !w.sc.lock[o.slot]) && (d.Abs() > maxSkew || w.oracle.jumped)
}

// arrives is a refresh request's arrival at the server.
func (w *world) arrives(q *spend, x *exchange) {
	if q.p.dead && time.Since(q.p.diedAt) > settleTime || q.lost && time.Since(q.lostAt) > settleTime {
		q.token.late = true
	}
	g, ok := w.as.renew(q.token.value)
	w.note(q.p, "the server gets %s: %v, issues %s", q.token.value, ok, g.refresh)
	q.committed = q.committed || ok
	switch {
	case x.status != 0: // a proxy answers
	case ok:
		x.grants(g, w.sc.lifetime)
	default:
		x.refuses(http.StatusBadRequest, "invalid_grant")
	}
	if x.cut {
		x.body = x.body[:len(x.body)/2]
	}
}

// refuses is a request's arrival at a server that dislikes it.
func (w *world) refuses(q *spend) {
	if w.sc.kind == burnsOnRefuse && w.as.usable(q.token) {
		q.token.used, q.token.usedAt, q.token.burnt = true, time.Now(), true
	}
}

// answered is what the process hears.
func (w *world) answered(q *spend, x *exchange, err error) {
	p := q.p
	switch {
	case err == errDial:
		q.settled = true
		q.claim.untouched()
	case err != nil, x.cut && x.status == http.StatusOK, x.status >= 500 && x.status != http.StatusServiceUnavailable:
		q.lost, q.lostAt = true, time.Now()
		q.claim.given, q.claim.giveAt = true, time.Now()
		w.note(p, "hears nothing: %v %d", err, x.status)
	case x.status == http.StatusOK:
		q.answered = true
		w.oracle.renewals++
		p.note.seen[q.claim.rec.Grant] = max(p.note.seen[q.claim.rec.Grant], q.claim.rec.Intent.Attempt)
		_, rest, _ := strings.Cut(x.body, `"access_token":"`)
		access, _, _ := strings.Cut(rest, `"`)
		w.oracle.received[access] = time.Now()
		w.note(p, "receives %s", access)
	default:
		q.settled = true
		w.note(p, "hears %d %s", x.status, x.body)
		if x.status == 503 || x.status == 429 {
			after, _ := strconv.Atoi(x.header.Get("Retry-After"))
			p.note.notBefore[q.token.value] = time.Now().Add(max(time.Second, time.Duration(after)*time.Second))
		}
		if strings.Contains(x.body, "invalid_grant") {
			p.note.refused[q.token.value] = true
		} else {
			q.claim.untouched()
		}
	}
}

// untouched notes that a request under this intent came to nothing, and that no
// other can be under way.
func (c *claim) untouched() {
	if !c.given {
		c.idle = time.Now()
	}
}

// revoking judges who revokes what: a logout, or a holder who found that the
// grant is gone. What a login has replaced is nobody's to revoke.
func (w *world) revoking(p *process, value string) {
	if !p.note.recently(1) && !p.note.absent && !p.note.recently(0) {
		w.violated(p, "5 logout wins", "%s is revoked, and nobody has logged out", value)
	}
	if t := w.as.tokens[value]; t != nil {
		p.note.revoked[t.family] = true
		p.note.ending = append(p.note.ending, t.family)
	}
}

// A call is a call of the product by its user.
type call struct {
	p        *process
	what     string
	begun    time.Time
	deadline time.Time
	fresh    bool // a token was there that needs no work
	found    *row // what lay in the store
}

func kindOf(what string) int {
	switch what {
	case "Login", "Import", "Ensure":
		return 0
	case "Logout":
		return 1
	case "Refresh":
		return 2
	}
	return -1
}

func (p *process) begin(ctx context.Context, what string) *call {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.note(p, "calls %s", what)
	c := &call{p: p, what: what, begun: time.Now()}
	c.deadline, _ = ctx.Deadline()
	n := &p.note
	quiet := n.loginAt.IsZero() && n.logoutAt.IsZero() && n.refreshAt.IsZero() && n.active == [3]int{}
	c.fresh = what == "Token" && quiet && n.token != nil && time.Until(n.token.Expiry) > p.w.sc.lifetime/2 &&
		!p.w.oracle.jumped && p.w.sc.skew == [3]time.Duration{}
	if k := kindOf(what); k >= 0 {
		n.active[k]++
		n.deleted, n.ending = nil, nil
		c.found = p.w.place.rows[p.w.key]
	}
	return c
}

// end judges what a call has brought; w.mu is held.
func (c *call) end(t *oauth2.Token, err error) {
	p, w := c.p, c.p.w
	w.note(p, "%s is done: %v", c.what, err)
	n := &p.note
	switch kindOf(c.what) {
	case 0:
		n.active[0]--
		n.loginAt = time.Now()
	case 1:
		n.active[1]--
		n.logoutAt = time.Now()
		w.loggedOut(c, err)
	case 2:
		n.active[2]--
		n.refreshAt = time.Now()
	}
	p.told(err)
	held := !p.stalls.Before(c.begun)
	if d := time.Since(c.deadline); (c.what == "Token" || c.what == "Refresh") && !c.deadline.IsZero() &&
		min(d, time.Since(c.begun)) > time.Millisecond && !held {
		w.violated(p, "7 callers leave, work stays", "%s kept its caller %v beyond its time", c.what, d)
	}
	if t == nil {
		return
	}
	if c.fresh && time.Since(c.begun) > 0 && !held {
		w.violated(p, "8 a fresh token is free", "it took %v", time.Since(c.begun))
	}
	if t.RefreshToken != "" {
		w.violated(p, "10 no secret in any text", "a caller was given a refresh token")
	}
	if at, ok := w.oracle.received[t.AccessToken]; !w.oracle.saved[t.AccessToken] && (!ok || time.Since(at) < saveGrace) {
		w.violated(p, "2 persist before use", "%s was handed out and is not saved", t.AccessToken)
	}
	n.token = t
}
