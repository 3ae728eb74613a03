package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
)

// A Link is a place with nothing in it, and a store there that is reached through
// a proxy.
type Link struct {
	Place string // directly, for an [Open]
	Store tokenstore.Store
	Proxy *lab.Proxy
}

// recordSize tells a save from other requests: it alone has a record in it.
const recordSize = 500

// key is one of a record that no client looks at.
var key = tokenstore.Key{Issuer: "https://as.example.com", ClientID: "app", Account: account}

// SurvivesCuts cuts connections in a save. Nothing is lost, and nobody waits for
// ever. resends says that the store's client repeats a request whose connection
// was cut; else the error of a Save says neither that it was done nor that it
// was not.
func SurvivesCuts(t *testing.T, open Open, newLink func(*testing.T) Link, resends bool) {
	for _, moment := range []lab.Moment{lab.BeforeRequest, lab.InRequest, lab.BeforeAnswer} {
		t.Run("Save, "+moment.String(), func(t *testing.T) {
			t.Parallel()
			newLink(t).cutSave(t, moment, resends)
		})
		for skip, save := range []string{"of the intent", "of the result"} {
			t.Run(fmt.Sprintf("a renewal, %v of the save %s", moment, save), func(t *testing.T) {
				t.Parallel()
				newLink(t).cutRenewal(t, open, lab.Cut{Moment: moment, Size: recordSize, Skip: skip})
			})
		}
	}
	t.Run("Save, "+lab.Silence.String(), func(t *testing.T) {
		t.Parallel()
		newLink(t).silence(t)
	})
}

// cutSave cuts a connection in a Save: the record is the old one or the new one.
func (l Link) cutSave(t *testing.T, moment lab.Moment, resends bool) {
	before, after := bytes.Repeat([]byte("before"), 1000), bytes.Repeat([]byte("after"), 1000)
	v, err := l.Store.Save(t.Context(), key, before, "")
	if err != nil {
		t.Fatal(err)
	}
	cut := l.Proxy.Cut(lab.Cut{Moment: moment, Size: recordSize})
	saved, err := l.Store.Save(t.Context(), key, after, v)
	if errors.Is(err, tokenstore.ErrConflict) || (err == nil) != resends {
		t.Errorf("Save returned %v", err)
	}
	<-cut.Done()
	want := before
	if resends || moment == lab.BeforeAnswer {
		want = after
	}
	data, loaded, err := l.Store.Load(t.Context(), key)
	if err != nil || !bytes.Equal(data, want) || (loaded == v) != bytes.Equal(want, before) || resends && loaded != saved {
		t.Errorf("Load returned %.10q..., version %q after %q and %q, error %v", data, loaded, v, saved, err)
	}
}

// cutRenewal cuts the connection of a process in a renewal. It sees to it that
// what the server has issued is saved, before anybody gets it.
func (l Link) cutRenewal(t *testing.T, open Open, c lab.Cut) {
	f := New(t, open, l.Place, func(o *clienttest.Options) { o.AccessTokenLifetime = 2 * time.Second })
	me := f.Join(l.Store)
	f.Expire()
	cut := l.Proxy.Cut(c)
	if _, err := me.Token(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case <-cut.Done():
	default:
		t.Error("there was no such save: nothing was cut")
	}
	f.NothingIsLost()
	f.EachTokenWasSpentOnce()
	if n := f.AS.RefreshCount(); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

// silence lets a connection say nothing more: a Save waits no longer than its
// context, and what it has waited for is done with.
func (l Link) silence(t *testing.T) {
	data := bytes.Repeat([]byte("data"), 1000)
	v, err := l.Store.Save(t.Context(), key, data, "")
	if err != nil {
		t.Fatal(err)
	}
	l.Proxy.Cut(lab.Cut{Moment: lab.Silence, Size: recordSize})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = l.Store.Save(ctx, key, data, v)
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 10*time.Second {
		t.Errorf("after %v Save returned %v", took, err)
	}
	if _, err := l.Store.Save(t.Context(), key, data, v); err != nil {
		t.Error("afterwards:", err)
	}
}
