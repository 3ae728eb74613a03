package redisstores_test

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
)

// A save is told from other requests by its size: it alone has a record in it.
const recordSize = 500

// through returns a place, and the same place behind a proxy.
func through(t *testing.T, socket string) (direct, proxied place, proxy *lab.Proxy) {
	t.Helper()
	proxy = lab.NewProxy(t, "unix", socket)
	direct = on(socket)
	proxied = direct
	proxied.Addrs = []string{proxy.Addr}
	return direct, proxied, proxy
}

func cuts(t *testing.T, socket string) {
	for _, moment := range []lab.Moment{lab.BeforeRequest, lab.InRequest, lab.BeforeAnswer} {
		t.Run("Save, "+moment.String(), func(t *testing.T) { t.Parallel(); cutSave(t, socket, moment) })
		for skip, save := range []string{"of the intent", "of the result"} {
			t.Run(fmt.Sprintf("a renewal, %v of the save %s", moment, save), func(t *testing.T) {
				t.Parallel()
				cutRenewal(t, socket, moment, skip)
			})
		}
	}
	t.Run("Save, "+lab.Silence.String(), func(t *testing.T) { t.Parallel(); silence(t, socket) })
}

// cutSave cuts a connection in a Save. go-redis sends it again over another, so it
// succeeds, although it may be the second that the server gets.
func cutSave(t *testing.T, socket string, moment lab.Moment) {
	_, proxied, proxy := through(t, socket)
	s := proxied.store(t)
	v, err := s.Save(t.Context(), key, bytes.Repeat([]byte("before"), 1000), "")
	if err != nil {
		t.Fatal(err)
	}
	after := bytes.Repeat([]byte("after"), 1000)
	cut := proxy.Cut(lab.Cut{Moment: moment, Size: recordSize})
	if v, err = s.Save(t.Context(), key, after, v); err != nil {
		t.Error(err)
	}
	<-cut.Done()
	if data, loaded, err := s.Load(t.Context(), key); err != nil || !bytes.Equal(data, after) || loaded != v {
		t.Errorf("Load returned %.10q..., version %q after %q, error %v", data, loaded, v, err)
	}
}

// cutRenewal cuts the connection of a process in a renewal. It sees to it that
// what the server has issued is saved, before anybody gets it.
func cutRenewal(t *testing.T, socket string, moment lab.Moment, skip int) {
	direct, proxied, proxy := through(t, socket)
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
// context, whatever the client waits for, and what it has waited for is done with.
func silence(t *testing.T, socket string) {
	_, proxied, proxy := through(t, socket)
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
