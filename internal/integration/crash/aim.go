package crash

import (
	"math/rand/v2"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/fleet"
)

// An aim places the kill of the holder in its rotation.
type aim struct {
	instant func() // returns when it is time to kill
	dead    func() // called afterwards
	slow    bool   // the holder takes its time before it sends the request
	random  bool   // any instant is as likely as another
}

// aims are the ways to take aim. Together they cover a whole rotation.
func aims() []func(*lane) aim {
	return []func(*lane) aim{
		anywhere, atTheIntent, anywhere, beforeTheRequest, anywhere, inTheRequest, anywhere, onTheWay, anywhere,
		afterTheCommit, anywhere, beforeTheSave, anywhere, atTheIntent, anywhere, beforeTheUse, anywhere, beforeTheSave,
	}
}

// anywhere is a random instant of the rotation.
func anywhere(l *lane) aim {
	return aim{instant: func() { pause(l.whole) }, dead: func() {}, random: true}
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
		pause(fleet.Hesitation / 4)
	}, dead: func() {}}
}

// declared waits until the record is written, which the intent is the first to do.
func (l *lane) declared() (wait func()) {
	before := l.f.Version()
	return func() {
		for began := time.Now(); l.f.Version() == before && time.Since(began) < patience; {
			pause(time.Millisecond)
		}
	}
}

// inTheRequest is when the request has arrived, and the server has not looked at
// it. It does so afterwards: nobody takes back what is on its way.
func inTheRequest(l *lane) aim {
	h := l.f.AS.HoldRequest(clienttest.TokenPath)
	return aim{instant: func() { l.arrived(h) }, dead: h.Release}
}

// onTheWay is when the request is on its way to a server that never gets it.
func onTheWay(l *lane) aim {
	const travel = 100 * time.Millisecond
	n := l.f.AS.RefreshCount()
	l.f.AS.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: travel, Drop: true}, 1)
	return aim{instant: func() {
		for began := time.Now(); l.f.AS.RefreshCount() == n && time.Since(began) < patience; {
			pause(time.Millisecond)
		}
		pause(travel / 2)
	}, dead: func() {}}
}

// afterTheCommit is when the server has rotated the token, and its answer is on
// its way.
func afterTheCommit(l *lane) aim {
	h := l.f.AS.HoldAnswer(clienttest.TokenPath)
	return aim{instant: func() { l.arrived(h) }, dead: h.Release}
}

// beforeTheSave is when the answer arrives.
func beforeTheSave(l *lane) aim {
	h := l.f.AS.HoldAnswer(clienttest.TokenPath)
	return aim{instant: func() {
		l.arrived(h)
		h.Release()
		pause(l.whole / 2)
	}, dead: func() {}}
}

// beforeTheUse is when the new access token has just gone to the API.
func beforeTheUse(l *lane) aim {
	h := l.f.AS.HoldRequest(clienttest.APIPath)
	return aim{instant: func() { l.arrived(h) }, dead: h.Release}
}

// arrived waits for a request to be held, and a moment more. In one of two cases
// the next process comes meanwhile, and waits for the holder.
func (l *lane) arrived(h *clienttest.Held) {
	l.t.Helper()
	select {
	case <-h.Arrived():
	case <-time.After(patience):
		l.t.Fatal("the holder has sent no request")
	}
	if rand.IntN(2) == 0 {
		l.order()
	}
	pause(50 * time.Millisecond)
}

// patience is how long the holder may take to come to the moment that is meant.
const patience = time.Minute

// pause waits for a random time up to d.
func pause(d time.Duration) { time.Sleep(rand.N(d + 1)) }
