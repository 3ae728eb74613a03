package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/regrant/regrant/internal/printable"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

const (
	// lease is how long others wait for a holder that gives no sign of life. It
	// is short, so that a crash heals within the grace period of a server, and
	// is rewritten every third of it while the exchange runs.
	lease = 15 * time.Second
	beat  = lease / 3

	// maxLease limits what a record can make us wait.
	maxLease = time.Minute
	// settleTime is how long a request whose answer is lost, or whose sender
	// died, may still be under way to the server.
	settleTime = 2 * time.Second
	// maxSkew is how far the clocks of machines that share a store without
	// locks may be apart.
	maxSkew = 5 * time.Minute
	// waitLimit bounds the wait for other processes: if it ends, the caller
	// hears that another is at work, and may come again.
	waitLimit = 2 * time.Minute
	// lockPatience is how long the lock is waited for before the record is
	// looked at without it.
	lockPatience = 50 * time.Millisecond
)

// A lostAnswer is an intent of this process whose request was never answered.
type lostAnswer struct {
	id    string
	since time.Time
}

// A lock is the store's lock on the key, or the attempt to get it. It makes
// waiting cheap and death visible; safety does not rest on it.
type lock struct {
	cancel context.CancelFunc
	got    chan func() // hands over unlock, once
	unlock func()      // not nil: held
	since  time.Time
}

// startLock asks for the lock, if the store has one, and goes on asking until
// release.
func startLock(ctx context.Context, v *vault) *lock {
	ctx, cancel := context.WithCancel(ctx)
	l := &lock{cancel: cancel, got: make(chan func())}
	locker, ok := v.store.(tokenstore.Locker)
	if !ok {
		return l
	}
	failed := make(chan struct{})
	go func() {
		unlock, err := locker.Lock(ctx, v.key)
		if err != nil {
			close(failed)
			return
		}
		select {
		case l.got <- unlock:
		case <-ctx.Done(): // given up in this very moment
			unlock()
		}
	}()
	patience := time.NewTimer(lockPatience)
	defer patience.Stop()
	select {
	case unlock := <-l.got:
		l.hold(unlock)
	case <-failed: // no lock, then: the lease in the record does without
	case <-patience.C:
	}
	return l
}

func (l *lock) hold(unlock func()) { l.unlock, l.since = unlock, time.Now() }

func (l *lock) held() bool { return l.unlock != nil }

// release gives the lock back, or the attempt up.
func (l *lock) release() {
	l.cancel()
	if l.held() {
		l.unlock()
	}
}

// A watch observes somebody else's intent.
type watch struct {
	version tokenstore.Version
	since   time.Time // when this version was first seen, by our own clock
	pause   time.Duration
}

// expired tells whether the holder of the intent can be taken for dead.
func (f *flight) expired(w *watch, l *lock, rec *record.Record, v tokenstore.Version) bool {
	k, i, now := f.keeper, rec.Intent, time.Now()
	if w.version != v || w.since.IsZero() {
		w.version, w.since, w.pause = v, now, 20*time.Millisecond
	}
	k.mu.Lock()
	lost := k.lost
	k.mu.Unlock()
	if lost.id == i.ID && now.Sub(lost.since) >= settleTime {
		return true // it was ours, and nobody has taken it over since
	}
	length := min(i.Lease, maxLease)
	if now.Sub(w.since) >= length {
		return true
	}
	if l.held() {
		// The lock falls free when its holder dies. A request of the dead may
		// still be under way, and some servers count the later one.
		return i.Locked && now.Sub(l.since) >= settleTime
	}
	// Programs that live shorter than a lease would never see one end. Only
	// where no lock tells better may the wall clock, which need not agree
	// between machines, decide.
	_, hasLock := k.vault.store.(tokenstore.Locker)
	age := now.Round(0).Sub(i.Started)
	return !hasLock && age > length+maxSkew
}

// pass waits a moment for the record to change.
func (f *flight) pass(ctx context.Context, w *watch, l *lock) error {
	d := jitter(w.pause)
	if l.held() { // then the next question is whether what the dead holder sent has settled
		if left := settleTime - time.Since(l.since); left > 0 {
			d = min(d, left)
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	w.pause = min(w.pause*3/2, 500*time.Millisecond)
	select {
	case <-timer.C:
	case unlock := <-l.got: // handed over once; then it blocks for ever
		l.hold(unlock)
	case <-f.keeper.client.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// A claim is our own intent as it lies in the store.
type claim struct {
	k       *keeper
	rec     *record.Record // with the intent
	version tokenstore.Version
	due     moment // from here on it has to be written again: counted from the start of the last write that succeeded
	late    moment // from here on nothing may be sent: the lease ends soon
}

// holder names this process for an operator: the machine, or the container, and
// the process on it. It is no secret, and nothing depends on it.
func holder() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "?"
	}
	return printable.Text(host, maxHolder-len(":4194304")) + ":" + strconv.Itoa(os.Getpid())
}

// maxHolder bounds the name of a holder, in characters.
const maxHolder = 80

// errConflict says that somebody was faster: look at the record again.
var errConflict = errors.New("somebody else changed the record")

// declare writes the intent to spend the refresh token of rec. Nothing may be
// sent unless it is known to be in the store: another process that does not see
// it would send the same token.
func (f *flight) declare(ctx context.Context, l *lock, rec *record.Record, v tokenstore.Version) (*claim, error) {
	mine := &record.Intent{
		ID: rand.Text(), Attempt: rec.Generation + 1, Lease: lease, Locked: l.held(), Holder: holder(), Since: time.Now().UTC().Round(0),
	}
	next := rec.With(mine)
	if i := rec.Intent; i != nil {
		mine.Attempt = i.Attempt + 1
		next.Unanswered = cmp.Or(next.Unanswered, i)
	}
	c := &claim{k: f.keeper, version: v, rec: next}
	return c, c.write(ctx)
}

// write puts the intent into the store, or finds out that it is there.
func (c *claim) write(ctx context.Context) error {
	began := time.Now()
	i := *c.rec.Intent
	i.Started = began.UTC().Round(0)
	rec := c.rec.With(&i)
	for {
		v, err := c.k.vault.save(ctx, rec, c.version)
		if err == nil {
			c.written(rec, v, began)
			return nil
		}
		r, w, lerr := c.k.load(ctx)
		mine := lerr == nil && r != nil && r.Intent != nil && r.Intent.ID == i.ID
		switch {
		case mine && r.Intent.Started.Equal(i.Started): // it was written all the same
			c.written(rec, w, began)
			return nil
		case !errors.Is(err, tokenstore.ErrConflict):
			return err
		case !mine:
			return errConflict
		}
		// Sealed anew meanwhile (tokenstore.Reseal), and still ours.
		c.version = w
	}
}

func (c *claim) written(rec *record.Record, v tokenstore.Version, began time.Time) {
	c.rec, c.version, c.due, c.late = rec, v, momentAt(began, beat), momentAt(began, 2*beat)
}

// ensure makes sure that the token may be sent now.
func (c *claim) ensure(ctx context.Context) error {
	if err := c.hold(ctx); err != nil {
		return err
	}
	if c.k.newer(c.rec) != nil { // somebody has met it since, and the store has lost it
		return errConflict
	}
	return nil
}

// hold writes the intent again if so much time has passed that others might
// soon take its holder for dead: on either clock, since a machine may have been
// asleep. It may have slept during that write, too.
func (c *claim) hold(ctx context.Context) error {
	if !c.due.reached(time.Now()) {
		return nil
	}
	for range 3 {
		if err := c.write(ctx); err != nil {
			return err
		}
		if !c.late.reached(time.Now()) {
			return nil
		}
	}
	return errors.New("nothing was sent to the server, since the store takes longer to write than the lease allows")
}

// keepAlive rewrites the intent while the exchange runs, until stop is called.
// What goes wrong here is left to the save that follows: it looks again.
func (c *claim) keepAlive(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(beat)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := c.write(ctx); errors.Is(err, errConflict) {
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
