//go:build unix

package fleet

import (
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// lease is how long the others wait for a holder that gives no sign of life.
const lease = 15 * time.Second

// instants are moments of a rotation.
var instants = map[string]func(*clienttest.Server) *clienttest.Held{
	"in the request":   func(as *clienttest.Server) *clienttest.Held { return as.HoldRequest(clienttest.TokenPath) },
	"after the commit": func(as *clienttest.Server) *clienttest.Held { return as.HoldAnswer(clienttest.TokenPath) },
}

// stopAHolder stops a process in the middle of its rotation: the server has rotated
// the refresh token before the lease has ended, and the answer waits for the
// holder. The store has no lock that would tell. The other process has taken over
// when that returns, and took so long to call; it got this report.
func (f *Fleet) stopAHolder(hold func(*clienttest.Server) *clienttest.Held) (holder, other *lab.Process, got Report) {
	f.t.Helper()
	holder, other = f.Start(), f.Start()
	f.Expire()
	h := hold(f.AS)
	holder.Send(Call)
	select {
	case <-h.Arrived():
	case <-time.After(10 * time.Second):
		f.t.Fatal("the holder has sent no request")
	}
	holder.Stop()
	stopped := time.Now()
	time.Sleep(200 * time.Millisecond) // until the signal has stopped every thread
	h.Release()

	other.Send(Call)
	other.Receive(&got)
	took := time.Since(stopped)
	if took < lease/2 {
		f.t.Errorf("the other process took over after %v, when the holder could still be at work", took)
	}
	f.t.Logf("the other process took over after %v", took.Round(time.Millisecond))
	time.Sleep(time.Until(stopped.Add(lease + 2*time.Second)))
	return holder, other, got
}
