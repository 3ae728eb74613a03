package crash

import (
	"testing"
	"time"

	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
)

// A lane is a grant with a server and a store of its own, and a succession of
// processes: one that is about to renew the grant, and one that stands by.
type lane struct {
	t       testing.TB
	f       *fleet.Fleet
	holder  *lab.Process
	next    *lab.Process
	ordered bool          // next has been told to call
	lost    int           // how often the grant was lost
	whole   time.Duration // how long a renewal takes; kills too early and too late correct it
}

// newLane starts a lane, whose grant is to be renewed after a second.
func (s Store) newLane(t testing.TB, server server) *lane {
	t.Helper()
	l := &lane{t: t, whole: 10 * time.Millisecond, f: fleet.NewWithoutLogin(t, s.Open, s.Place(t), server.set)}
	l.f.RenewAfter(time.Second)
	l.f.Login()
	l.holder, l.next = l.f.Start(), l.f.Start()
	return l
}

// begin lets the holder begin its rotation.
func (l *lane) begin(a aim) {
	if a.slow {
		l.holder.Send(fleet.Hesitate)
	} else {
		l.holder.Send(fleet.Call)
	}
}

// order lets the next process call the API, if it has not been told yet.
func (l *lane) order() {
	if !l.ordered {
		l.next.Send(fleet.Call)
		l.ordered = true
	}
}
