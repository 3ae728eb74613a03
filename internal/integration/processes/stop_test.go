//go:build unix

package processes_test

import (
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// lease is how long the holder of a rotation is waited for.
const lease = 15 * time.Second

// A process that is stopped keeps its lock, so the lock tells nothing: the others
// go on when its lease has ended. When it wakes, it believes what it finds. The
// laptop that was closed, the virtual machine that was moved, and the debugger
// do this to a process.
func TestAHolderThatIsStoppedPastItsLeaseLogsNobodyOut(t *testing.T) {
	t.Parallel()
	servers := map[string]func(*clienttest.Options){"a new pair each time": newPair, "the same pair again": samePair}
	for server, set := range servers {
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
			t.Run(server+", "+c.instant, func(t *testing.T) {
				t.Parallel()
				l := newLane(t, set)
				l.w.expire(t)
				l.call(l.holder) // it has discovered the server, and rotates without ado
				l.stop(c.take, c.inStore)
				l.w.nobodyLoggedIn(t)
			})
		}
	}
}

// stop stops the holder in its rotation, for longer than its lease, and lets the
// other process go on. A filestore writes under a lock of a few milliseconds:
// with a holder that is stopped right there nobody can write, which is a
// temporary error, until it wakes and finds the time limit of its own call over.
func (l *lane) stop(take func(*lane) aim, inStore bool) {
	t := l.t
	t.Helper()
	good := func(r report) bool { return r.ok() || inStore && r.Temporary }

	l.w.expire(t)
	a := take(l)
	l.begin(a)
	a.instant()
	l.holder.Stop()
	stopped := time.Now()
	a.dead()

	var other, woken report
	l.order()
	if l.next.Receive(&other); !good(other) {
		t.Fatalf("while the holder stands still, the other process fails: %q", other.Failures)
	}
	t.Logf("the other process ended its call after %v, failures: %q", time.Since(stopped).Round(time.Millisecond), other.Failures)
	time.Sleep(time.Until(stopped.Add(lease + 2*time.Second)))
	if other.ok() {
		l.w.expire(t)
		if r := l.call(l.next); !r.ok() {
			t.Fatalf("at its second expiry, the other process fails: %q", r.Failures)
		}
	}

	l.holder.Continue()
	if l.holder.Receive(&woken); !good(woken) {
		t.Fatalf("the holder wakes, and fails: %q", woken.Failures)
	}
	time.Sleep(2 * time.Second) // what failed backs off for a second
	l.w.expire(t)
	for _, p := range []*lab.Process{l.holder, l.next} {
		if r := l.call(p); !r.ok() {
			t.Errorf("afterwards: %q", r.Failures)
		}
	}
}
