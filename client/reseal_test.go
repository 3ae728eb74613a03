package client_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
)

// reseal does to all that is kept what tokenstore.Reseal does: it saves what it
// has loaded.
func (w *world) reseal() (records int) {
	w.t.Helper()
	for key, err := range w.shared.List(w.t.Context(), tokenstore.Key{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		data, v, err := w.shared.Load(w.t.Context(), key)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.shared.Save(w.t.Context(), key, data, v); err != nil {
			w.t.Fatal(err)
		}
		records++
	}
	return records
}

func TestARenewalStaysTheOnlyOneWhenItsIntentIsSealedAnew(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		y.works("y")
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{DelayAnswer: 25 * time.Second}, 1)
		token := x.async()
		time.Sleep(time.Second)
		w.reseal()
		y.works("y")
		if r := <-token; r.err != nil {
			t.Errorf("Token: %v", r.err)
		}
		w.requests(1)
		if x.happened(client.LeaseOverrun) {
			t.Error("its lease has ended under way")
		}
	})
}

func TestAnIntentThatIsSealedAnewIsTakenBackAllTheSame(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 503, Delay: 2 * time.Second}, 1)
		token := x.async()
		time.Sleep(time.Second)
		w.reseal()
		if r := <-token; r.err == nil {
			t.Error("there is a token")
		}
		if rec := w.stored(); rec.Intent != nil {
			t.Error("nothing was spent, and the others wait for the end of its lease")
		}
		y.works("y")
	})
}

func TestALoginStaysTheOnlyOneWhenItsReservationIsSealedAnew(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		var runs atomic.Int32
		var wg sync.WaitGroup
		for _, p := range []*process{x, y} {
			wg.Go(func() {
				if err := p.me.Ensure(t.Context(), w.slowLogin(&runs, 3*time.Minute)); err != nil {
					t.Errorf("Ensure: %v", err)
				}
			})
		}
		for _, pause := range []time.Duration{time.Minute, 2*time.Minute - time.Second} { // the second time too late for another beat
			time.Sleep(pause)
			if n := w.reseal(); n != 1 {
				t.Errorf("%d records instead of the reservation", n)
			}
		}
		wg.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("the user was asked %d times", n)
		}
		if n := w.reseal(); n != 1 {
			t.Errorf("%d records beside the grant: the reservation is left", n-1)
		}
	})
}
