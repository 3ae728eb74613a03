package processes_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/internal/record"
)

// A lane is an account with a server and a store of its own, and a succession of
// processes: one that is about to renew the grant, and one that stands by.
type lane struct {
	t       *testing.T
	w       *world
	holder  *lab.Process
	next    *lab.Process
	ordered bool          // next has been told to call
	whole   time.Duration // how long a renewal takes; kills too early and too late correct it
}

// newLane starts a lane. Access tokens live for a second, so that each call after
// a pause renews.
func newLane(t *testing.T, set func(*clienttest.Options)) *lane {
	t.Helper()
	l := &lane{t: t, whole: 10 * time.Millisecond, w: newWorld(t, func(o *clienttest.Options) {
		o.AccessTokenLifetime = time.Second
		set(o)
	})}
	l.w.login(t)
	l.holder, l.next = l.start(), l.start()
	return l
}

// start starts a process, and waits until it is up.
func (l *lane) start() *lab.Process {
	p := lab.Start(l.t, program, l.w.config)
	p.Send(rest)
	p.Receive(new(report))
	return p
}

// call lets a process call the API.
func (l *lane) call(p *lab.Process) report {
	var r report
	p.Send(call)
	p.Receive(&r)
	return r
}

// begin lets the holder begin its rotation.
func (l *lane) begin(a aim) {
	if a.slow {
		l.holder.Send(hesitate)
	} else {
		l.holder.Send(call)
	}
}

// order lets the next process call the API, if it has not been told yet.
func (l *lane) order() {
	if !l.ordered {
		l.next.Send(call)
		l.ordered = true
	}
}

// An aim places the kill of the holder in its rotation.
type aim struct {
	instant func() // returns when it is time to kill
	dead    func() // called afterwards
	slow    bool   // the holder takes its time before it sends the request
}

// aims are the ways to take aim. Together they cover a whole rotation.
var aims = []func(*lane) aim{
	anywhere, anywhere, atTheIntent, atTheIntent, beforeTheRequest, inTheRequest, afterTheCommit, beforeTheSave, beforeTheSave, beforeTheUse,
}

// anywhere is a random instant of the rotation.
func anywhere(l *lane) aim {
	return aim{instant: func() { pause(l.whole) }, dead: func() {}}
}

// atTheIntent is when the intent to spend the refresh token has just been saved.
func atTheIntent(l *lane) aim {
	declared := l.declared()
	return aim{instant: func() {
		declared()
		pause(time.Duration(rand.IntN(2)) * l.whole / 8)
	}, dead: func() {}}
}

// beforeTheRequest is when the intent has been saved, and the request is about
// to be sent.
func beforeTheRequest(l *lane) aim {
	declared := l.declared()
	return aim{slow: true, instant: func() {
		declared()
		pause(hesitation / 4)
	}, dead: func() {}}
}

// declared waits until the record is written, which the intent is the first to do.
func (l *lane) declared() (wait func()) {
	before := l.w.version(l.t)
	return func() {
		for began := time.Now(); l.w.version(l.t) == before && time.Since(began) < 10*time.Second; {
			pause(100 * time.Microsecond)
		}
	}
}

// inTheRequest is when the request has arrived, and the server has not looked at
// it. It does so afterwards: nobody takes back what is on its way.
func inTheRequest(l *lane) aim {
	h := l.w.as.HoldRequest(clienttest.TokenPath)
	return aim{instant: func() { l.arrived(h) }, dead: h.Release}
}

// onTheWay is when the request is on its way to a server that never gets it.
func onTheWay(l *lane) aim {
	const travel = 100 * time.Millisecond
	n := l.w.as.RefreshCount()
	l.w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: travel, Drop: true}, 1)
	return aim{instant: func() {
		for began := time.Now(); l.w.as.RefreshCount() == n && time.Since(began) < 10*time.Second; {
			pause(time.Millisecond)
		}
		pause(travel / 2)
	}, dead: func() {}}
}

// afterTheCommit is when the server has rotated the token, and its answer is on
// its way.
func afterTheCommit(l *lane) aim {
	h := l.w.as.HoldAnswer(clienttest.TokenPath)
	return aim{instant: func() { l.arrived(h) }, dead: h.Release}
}

// beforeTheSave is when the answer arrives.
func beforeTheSave(l *lane) aim {
	h := l.w.as.HoldAnswer(clienttest.TokenPath)
	return aim{instant: func() {
		l.arrived(h)
		h.Release()
		pause(l.whole / 2)
	}, dead: func() {}}
}

// beforeTheUse is when the new access token has just gone to the API.
func beforeTheUse(l *lane) aim {
	h := l.w.as.HoldRequest(clienttest.APIPath)
	return aim{instant: func() { l.arrived(h) }, dead: h.Release}
}

// arrived waits for a request to be held, and a moment more. In one of two cases
// the next process comes meanwhile, and waits for the holder.
func (l *lane) arrived(h *clienttest.Held) {
	l.t.Helper()
	select {
	case <-h.Arrived():
	case <-time.After(10 * time.Second):
		l.t.Fatal("the holder has sent no request")
	}
	if rand.IntN(2) == 0 {
		l.order()
	}
	pause(50 * time.Millisecond)
}

// pause waits for a random time up to d.
func pause(d time.Duration) { time.Sleep(rand.N(d + 1)) }

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
	committed bool          // the server has rotated the token for the dead
	report    report        // of the process that came next
	recovery  time.Duration // from the kill to that report
}

// fatal tells whether the refresh token that the server has issued is known to
// nobody: it died with the holder.
func (f *fall) fatal() bool { return f.committed && f.moment != saved && f.moment != tooLate }

// kill lets the access token end and the holder renew it, kills the holder in
// the midst of that, and lets the next process go on in its place.
func (l *lane) kill(take func(*lane) aim) fall {
	l.t.Helper()
	l.w.expire(l.t)
	before := l.w.stored(l.t)
	l.ordered = false
	a := take(l)
	l.begin(a)
	a.instant()
	unread := l.holder.Kill()
	killed := time.Now()
	at, sent := l.w.stored(l.t), l.sent(before) // so far
	a.dead()

	var f fall
	l.order()
	l.next.Receive(&f.report)
	f.recovery = time.Since(killed)

	later := l.sent(before)
	f.committed = slices.Contains(later, clienttest.Accepted)
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
	l.holder, l.next = l.next, l.start()
	return f
}

// sent tells what the server has done so far with the requests of the holder
// that spend the refresh token of before.
func (l *lane) sent(before *record.Record) []clienttest.Outcome {
	var outcomes []clienttest.Outcome
	for _, x := range l.w.as.Exchanges() {
		if x.RefreshToken == before.RefreshToken && x.Header.Get(processHeader) == strconv.Itoa(l.holder.PID()) {
			outcomes = append(outcomes, x.Outcome)
		}
	}
	return outcomes
}

// A tally sums up what happened in all lanes.
type tally struct {
	mu         sync.Mutex
	hits       [tooLate + 1]int
	lost       int
	recoveries []time.Duration
}

func (c *tally) add(f *fall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hits[f.moment]++
	switch {
	case f.report.LoginRequired:
		c.lost++
	case f.counts():
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
	text := fmt.Sprintf("%d kills of a holder, %d grants lost; hit: %s", c.kills(), c.lost, strings.Join(hits, ", "))
	if n := len(c.recoveries); n > 0 {
		text += fmt.Sprintf("; recovered after %v (median), %v (longest)",
			c.recoveries[n/2].Round(time.Millisecond), c.recoveries[n-1].Round(time.Millisecond))
	}
	t.Log(text)
	t.Attr("kills", text)
}
