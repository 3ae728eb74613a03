package sim

import "time"

// A fault is something that goes wrong.
type fault int

const (
	death      fault = iota // a process is gone, with its memory
	pause                   // a process stands still, past the end of leases
	storeError              // a call of the store fails, before or after it took effect
	storeHang               // a call of the store brings no answer; it takes effect now, late, or never
	storeSlow               // a call of the store takes up to its time limit
	conflict                // a write is refused though nothing has changed
	lostWrite               // the store loses a write that it has acknowledged
	noLock                  // a lock is refused
	notSent                 // a request does not leave the machine
	cut                     // a connection breaks; the request arrives all the same, or never
	late                    // as cut, and the request arrives after the time to settle
	lostAnswer              // the server acts, and its answer is lost
	gateway                 // a proxy answers 502 or 504, and the server has acted, or not
	garbled                 // the server acts, and its answer cannot be read
	hang                    // a request is never answered
	busy                    // 429 or 503
	refused                 // the server dislikes this request
	lie                     // the server says invalid_grant about a live token
	twice                   // a request arrives twice
	slowServer              // an answer takes up to 25 s
	revocation              // somebody ends the grant elsewhere
	jump                    // a wall clock is set
	faults
)

func (f fault) String() string {
	return [...]string{
		"death", "pause", "store error", "store hangs", "store is slow", "conflict", "lost write", "no lock", "not sent", "cut",
		"late request", "lost answer", "gateway", "garbled answer", "no answer", "busy", "refused", "lie", "request twice",
		"slow server", "revocation", "clock jump",
	}[f]
}

// An action is what users do, beyond asking for tokens.
type action int

const (
	login action = iota
	logout
	imports // a program that brings its old token at each start
	ensures
	refreshes
	retires // a process ends by Close, and another starts
	actions
)

// A scenario is what a seed decides before anything happens.
type scenario struct {
	kind       kind
	grace      time.Duration
	familyEnds bool // what reuse after the grace means
	revokes    revocationScope
	lifetime   time.Duration // of access tokens
	span       time.Duration // of trouble; then it is calm

	slots      int // processes at a time
	users      int // goroutines in each that want tokens
	lock       [3]bool
	slowBeat   [3]bool          // a version with a lease of 45 s
	skew       [3]time.Duration // of its wall clock
	background bool

	sameLogin bool // each login brings the refresh token of the first

	fault    [faults]bool
	budget   int // faults
	rarity   int // a fault strikes one of so many times
	action   [actions]bool
	storeLag time.Duration // what a call of the store takes at most without a fault, one way
	wireLag  time.Duration
}

// draw makes a scenario. Each seed has some kinds of faults and not others:
// where everything goes wrong at once, the rare coincidence is never seen.
func draw(c chance) scenario {
	s := scenario{
		kind:       kind(c.IntN(int(kinds))),
		grace:      pick(c, 0, 10*time.Second, 30*time.Second, time.Minute, 2*time.Minute),
		familyEnds: c.one(2),
		revokes:    revocationScope(c.IntN(3)),
		lifetime:   c.between(8*time.Second, 60*time.Second),
		span:       c.between(30*time.Second, 150*time.Second),
		slots:      pick(c, 1, 2, 2, 2, 3),
		users:      pick(c, 1, 1, 1, 2),
		background: c.one(5),
		budget:     pick(c, 0, 1, 1, 2, 2, 3, 4),
		rarity:     pick(c, 3, 8, 8, 20),
		storeLag:   pick(c, 2*time.Millisecond, 30*time.Millisecond, 30*time.Millisecond, time.Second, 2*time.Second),
		wireLag:    pick(c, 20*time.Millisecond, 300*time.Millisecond, 1500*time.Millisecond),
	}
	if c.one(2) {
		s.kind = pick(c, strictFamily, strict, oneSlot)
	}
	mode := c.IntN(4) // all have the lock, none, or some
	for i := range s.slots {
		s.lock[i] = mode == 0 || mode == 3 && c.one(2)
		s.slowBeat[i] = c.one(12)
	}
	if c.one(6) {
		for i := range s.slots {
			s.skew[i] = pick(c, 0, c.between(-4*time.Minute, 4*time.Minute)/2, c.between(-4*time.Hour, 4*time.Hour))
		}
	}
	if c.one(2) { // one or two kinds of faults
		s.fault[c.IntN(int(faults))] = true
		s.fault[c.IntN(int(faults))] = true
	} else {
		for f := range faults {
			s.fault[f] = c.one(3)
		}
	}
	for a := range actions {
		s.action[a] = c.one(5)
	}
	return s
}
