//go:build unix

package crash

import (
	"testing"
	"time"

	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
)

// lease is how long the holder of a rotation is waited for.
const lease = 15 * time.Second

// SurvivesAStoppedHolder stops a process in the middle of its rotation, for longer
// than its lease, and wakes it later. If there is a lock, the holder keeps it, so
// it tells nothing: the others go on when its lease has ended. When it wakes, it
// believes what it finds. The laptop that was closed, the virtual machine that
// was moved, and the debugger do this to a process.
func (s Store) SurvivesAStoppedHolder(t *testing.T) {
	t.Helper()
	for _, c := range []struct {
		instant string
		take    func(*lane) aim
		inStore bool // it may be stopped inside a call of the store
	}{
		{"anywhere", anywhere, true},
		{"at the intent", atTheIntent, true},
		{"before the request", beforeTheRequest, true},
		{"in the request", inTheRequest, false},
		{"after the commit", afterTheCommit, false},
	} {
		for _, server := range forgiving()[:2] {
			t.Run(server.name+", "+c.instant, func(t *testing.T) {
				t.Parallel()
				l := s.newLane(t, server)
				before := l.f.Stored()
				l.f.Expire()
				l.f.Tell(l.holder, fleet.Call) // it has discovered the server, and rotates without ado
				checked(t, l.f, before)
				l.stop(c.take, c.inStore)
				l.f.NobodyIsLoggedOut()
			})
		}
	}
}

// stop stops the holder in its rotation, for longer than its lease, and lets the
// other process go on. A store may be written under a lock of a few milliseconds:
// with a holder that is stopped right there nobody can write, which is a
// temporary error, until it wakes and finds the time limit of its own call over.
func (l *lane) stop(take func(*lane) aim, inStore bool) {
	t := l.t
	t.Helper()
	good := func(r *fleet.Report) bool { return r.OK() || inStore && r.Temporary }

	l.f.Expire()
	a := take(l)
	l.begin(a)
	a.instant()
	l.holder.Stop()
	stopped := time.Now()
	a.dead()

	var other, woken fleet.Report
	l.order()
	if l.next.Receive(&other); !good(&other) {
		t.Fatalf("while the holder stands still, the other process fails: %q", other.Failures)
	}
	took := time.Since(stopped)
	t.Logf("the other process ended its call after %v, failures: %q", took.Round(time.Millisecond), other.Failures)
	if !inStore && took < lease/2 {
		t.Errorf("the other process took over after %v, when the holder could still be at work", took)
	}
	time.Sleep(time.Until(stopped.Add(lease + 2*time.Second)))
	if other.OK() {
		l.f.Expire()
		if r := l.f.Tell(l.next, fleet.Call); !good(&r) {
			t.Fatalf("at its second expiry, the other process fails: %q", r.Failures)
		}
	}

	l.holder.Continue()
	if l.holder.Receive(&woken); !good(&woken) {
		t.Fatalf("the holder wakes, and fails: %q", woken.Failures)
	}
	time.Sleep(2 * time.Second) // what failed backs off for a second
	l.f.Expire()
	for _, p := range []*lab.Process{l.holder, l.next} {
		if r := l.f.Tell(p, fleet.Call); !r.OK() {
			t.Errorf("afterwards: %q", r.Failures)
		}
	}
}
