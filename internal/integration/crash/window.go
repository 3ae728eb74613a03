package crash

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// NothingElseIsInTheWindow checks what happens between the commit of the server
// and the saved record, the time in which a kill costs the grant if the server is
// strict: the answer travels, and it is saved. Nothing else is read, written, or
// waited for. It also measures that time, beside a save of the same bytes alone.
func (s Store) NothingElseIsInTheWindow(t *testing.T) {
	t.Helper()
	w := &window{}
	f := fleet.New(t, s.Open, s.Place(t), func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, _ map[string]any) {
			if x.GrantType == "refresh_token" {
				w.commit()
			}
		}
	})
	w.Store = f.Store()
	me := f.Join(w)
	renew := func() (committed time.Time, save step) {
		t.Helper()
		if _, err := me.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.steps) == 0 || !w.steps[0].saved {
			t.Fatalf("after the commit the store saw %+v", w.steps)
		}
		return w.committed, w.steps[0]
	}

	// The keys that check an ID token are fetched by the way, and come late.
	keys, before := f.AS.HoldRequest(clienttest.JWKSPath), f.Stored()
	renew()
	keys.Release()
	checked(t, f, before)

	var whole, saves, alone []time.Duration
	for len(whole) < 5*kills(t) {
		asked := len(f.AS.Exchanges())
		committed, save := renew()
		switch more := f.AS.Exchanges()[asked:]; len(more) {
		case 0: // it found the renewal before in its last steps, and took what that had brought
			continue
		case 1:
		default:
			t.Fatalf("for one renewal the server was asked %d times", len(more))
		}
		whole = append(whole, save.ended.Sub(committed))
		saves = append(saves, save.ended.Sub(save.began))

		data, v, err := f.Store().Load(t.Context(), f.Key())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := f.Store().Save(t.Context(), f.Key(), data, v); err != nil {
			t.Fatal(err)
		}
		alone = append(alone, time.Since(began))
	}
	text := fmt.Sprintf("from the commit of the server to the saved record: %s; its save: %s; such a save alone: %s", fleet.Spread(whole), fleet.Spread(saves), fleet.Spread(alone))
	t.Log(text)
	t.Attr("window", text)
}

// checked waits until the ID token is kept that came with the first renewal of a
// process after before, which is the last that the process does about it.
func checked(t testing.TB, f *fleet.Fleet, before *record.Record) {
	t.Helper()
	for began := time.Now(); f.Stored().IDToken == before.IDToken; time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatal("the ID token of the first renewal is not kept")
		}
	}
}

// A window is a store that notes what it is asked for after a commit.
type window struct {
	tokenstore.Store

	mu        sync.Mutex
	committed time.Time
	steps     []step
}

// A step is a call of the store.
type step struct {
	saved        bool // it was a Save, which succeeded
	began, ended time.Time
}

func (w *window) commit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committed, w.steps = time.Now(), nil
}

func (w *window) note(s step) {
	s.ended = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps = append(w.steps, s)
}

func (w *window) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	began := time.Now()
	data, v, err := w.Store.Load(ctx, key)
	w.note(step{began: began})
	return data, v, err
}

func (w *window) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	began := time.Now()
	v, err := w.Store.Save(ctx, key, data, old)
	w.note(step{saved: err == nil, began: began})
	return v, err
}
