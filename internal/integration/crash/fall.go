package crash

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/record"
)

// A moment tells where in its rotation the holder was hit.
type moment int

const (
	tooEarly   moment = iota // it had not saved its intent: it was not the holder yet
	beforeSend               // the intent was saved, and the request never came to the server
	inFlight                 // the server had not processed the request yet
	unsaved                  // the server had committed, and the record was not saved
	saved                    // the record was saved, and its caller had no answer yet
	tooLate                  // it had finished
)

var moments = []string{
	tooEarly: "before the intent", beforeSend: "before the request was sent", inFlight: "with the request in flight",
	unsaved: "between commit and save", saved: "after the save", tooLate: "after its end",
}

func (m moment) String() string { return moments[m] }

// counts tells whether the holder was hit in its rotation.
func (m moment) counts() bool { return m != tooEarly && m != tooLate }

// A fall is a kill and what came of it.
type fall struct {
	moment
	random   bool          // the instant was not chosen
	report   fleet.Report  // of the process that came next
	recovery time.Duration // from the kill to that report

	// unavoidable: where a token can be used once, nothing can bring the grant
	// back. The server has rotated the token for the dead, who have taken its
	// successor with them: it is not in the store, then or later.
	unavoidable bool
}

// kill lets the access token end and the holder renew it, kills the holder in
// the midst of that, and lets the next process go on in its place.
func (l *lane) kill(take func(*lane) aim) fall {
	l.t.Helper()
	l.f.Expire()
	before := l.f.Stored()
	l.ordered = false
	a := take(l)
	l.begin(a)
	a.instant()
	unread := l.holder.Kill()
	killed := time.Now()
	at, sent := l.f.Stored(), l.sent(before) // so far
	a.dead()

	f := fall{random: a.random}
	l.order()
	l.next.Receive(&f.report)
	f.recovery = time.Since(killed)

	later := l.sent(before)
	f.unavoidable = slices.Contains(later, clienttest.Accepted) && l.f.Stored().Generation == before.Generation
	switch {
	case unread > 0:
		f.moment = tooLate
	case at.Generation > before.Generation:
		f.moment = saved
	case slices.Contains(sent, clienttest.Accepted):
		f.moment = unsaved
	case len(later) > 0:
		f.moment = inFlight
	case at.Intent != nil:
		f.moment = beforeSend
	}
	switch f.moment {
	case tooEarly:
		l.whole += l.whole / 4
	case tooLate:
		l.whole -= l.whole / 5
	}
	l.holder, l.next = l.next, l.f.Start()
	return f
}

// sent tells what the server has done so far with the requests of the holder
// that spend the refresh token of before.
func (l *lane) sent(before *record.Record) []clienttest.Outcome {
	var outcomes []clienttest.Outcome
	for _, x := range l.f.AS.Exchanges() {
		if x.RefreshToken == before.RefreshToken && x.Header.Get(fleet.ProcessHeader) == strconv.Itoa(l.holder.PID()) {
			outcomes = append(outcomes, x.Outcome)
		}
	}
	return outcomes
}

// A tally sums up what happened in all lanes.
type tally struct {
	mu          sync.Mutex
	hits        [tooLate + 1]int
	random      int // of the kills in a rotation
	lost        int
	unavoidable int
	recoveries  []time.Duration

	randomLost, randomUnavoidable int
}

func (c *tally) add(f *fall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := func(is bool) int {
		if is {
			return 1
		}
		return 0
	}
	c.hits[f.moment]++
	c.random += one(f.random && f.counts())
	c.lost += one(f.report.LoginRequired)
	c.unavoidable += one(f.unavoidable)
	c.randomLost += one(f.random && f.report.LoginRequired)
	c.randomUnavoidable += one(f.random && f.unavoidable)
	if f.counts() && f.report.OK() {
		c.recoveries = append(c.recoveries, f.recovery)
	}
}

func (c *tally) kills() (n int) {
	for m, hits := range c.hits {
		if moment(m).counts() {
			n += hits
		}
	}
	return n
}

// show logs the distribution, and attaches it to the test.
func (c *tally) show(t *testing.T) {
	t.Helper()
	slices.Sort(c.recoveries)
	var hits []string
	for m, n := range c.hits {
		hits = append(hits, fmt.Sprintf("%d %v", n, moment(m)))
	}
	text := fmt.Sprintf("%d kills of a holder in its rotation, %d of them at a random instant; hit: %s", c.kills(), c.random, strings.Join(hits, ", "))
	if n := len(c.recoveries); n > 0 {
		text += fmt.Sprintf("; recovered after %v (median), %v (longest)",
			c.recoveries[n/2].Round(time.Millisecond), c.recoveries[n-1].Round(time.Millisecond))
	}
	t.Log(text)
	t.Attr("kills", text)
}
