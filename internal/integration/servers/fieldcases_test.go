package servers_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/regrant/regrant/client"
)

// A field case: what users of other programs see at dex was reported in public.
// internal/docs/field-cases.md has the list.
func TestFieldCase_dexidp_dex_1976_ParallelCallsAtTheExpiryAreOneRefresh(t *testing.T) {
	t.Parallel()
	r := startDex(t, settings{lifetime: 6}) // ten programs on a slow machine need a while
	var renewals atomic.Int32
	cfg := r.confidential
	cfg.OnEvent = func(_ context.Context, e client.Event) {
		if e.Kind == client.Renewed {
			renewals.Add(1)
		}
	}
	at := r.newPlace()
	var programs []*program
	for range 10 {
		programs = append(programs, r.another(cfg, at))
	}
	programs[0].login()
	spent := programs[0].stored()
	programs[0].expire()
	var calls sync.WaitGroup
	for _, p := range programs {
		calls.Go(func() {
			if _, err := p.Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if rec := programs[0].stored(); rec.Generation != spent.Generation+1 || renewals.Load() != 1 {
		t.Errorf("%d renewals have brought generation %d", renewals.Load(), rec.Generation)
	}
	if _, err := programs[9].Refresh(t.Context(), nil); err != nil {
		t.Errorf("what is stored cannot be renewed: %v", err)
	}
}
