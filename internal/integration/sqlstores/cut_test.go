package sqlstores_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
)

// A save is told from other requests by its size: it alone has a record in it.
const recordSize = 500

// through returns a table, and the same table behind a proxy.
func (d *database) through(t *testing.T) (direct, proxied place, proxy *lab.Proxy) {
	t.Helper()
	direct = d.newTable(t)
	proxy = lab.NewProxy(t, d.network, d.address)
	behind := *d
	behind.network, behind.address = "tcp", proxy.Addr
	return direct, behind.at(direct.Table), proxy
}

func (d *database) cuts(t *testing.T) {
	for _, moment := range []lab.Moment{lab.BeforeRequest, lab.InRequest, lab.BeforeAnswer} {
		t.Run("Save, "+moment.String(), func(t *testing.T) { t.Parallel(); d.cutSave(t, moment) })
		for skip, save := range []string{"of the intent", "of the result"} {
			t.Run(fmt.Sprintf("a renewal, %v of the save %s", moment, save), func(t *testing.T) { t.Parallel(); d.cutRenewal(t, moment, skip) })
		}
	}
	t.Run("Save, "+lab.Silence.String(), func(t *testing.T) { t.Parallel(); d.silence(t) })
}

// cutSave cuts a connection in a Save: the error says neither that it was done
// nor that it was not, and the record is the old one or the new one.
func (d *database) cutSave(t *testing.T, moment lab.Moment) {
	_, proxied, proxy := d.through(t)
	s := proxied.store(t)
	before, after := bytes.Repeat([]byte("before"), 1000), bytes.Repeat([]byte("after"), 1000)
	v, err := s.Save(t.Context(), key, before, "")
	if err != nil {
		t.Fatal(err)
	}
	cut := proxy.Cut(lab.Cut{Moment: moment, Size: recordSize})
	_, err = s.Save(t.Context(), key, after, v)
	if err == nil || errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("Save returned %v", err)
	}
	t.Log(err)
	<-cut.Done()
	want := before
	if moment == lab.BeforeAnswer {
		want = after
	}
	data, loaded, err := s.Load(t.Context(), key)
	if err != nil || !bytes.Equal(data, want) || (loaded == v) != bytes.Equal(want, before) {
		t.Errorf("Load returned %.10q..., version %q after %q, error %v", data, loaded, v, err)
	}
}

// cutRenewal cuts the connection of a process in a renewal. It sees to it that
// what the server has issued is saved, before anybody gets it.
func (d *database) cutRenewal(t *testing.T, moment lab.Moment, skip int) {
	direct, proxied, proxy := d.through(t)
	f := fleet.New(t, openPlace, direct.String(), func(o *clienttest.Options) { o.AccessTokenLifetime = 2 * time.Second })
	me := f.Join(proxied.store(t))
	f.Expire()
	cut := proxy.Cut(lab.Cut{Moment: moment, Size: recordSize, Skip: skip})
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
func (d *database) silence(t *testing.T) {
	_, proxied, proxy := d.through(t)
	s := proxied.store(t)
	data := bytes.Repeat([]byte("data"), 1000)
	v, err := s.Save(t.Context(), key, data, "")
	if err != nil {
		t.Fatal(err)
	}
	proxy.Cut(lab.Cut{Moment: lab.Silence, Size: recordSize})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = s.Save(ctx, key, data, v)
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 10*time.Second {
		t.Errorf("after %v Save returned %v", took, err)
	}
	if _, err := s.Save(t.Context(), key, data, v); err != nil {
		t.Error("afterwards:", err)
	}
}
