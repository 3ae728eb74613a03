package processes_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// The server has rotated the refresh token, and then there is no room to save its
// successor. It is the only living one, at a server that ends the grant if the
// old one comes again.
func TestADiskThatFillsUpDuringARotationLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *clienttest.Options) { o.AccessTokenLifetime = time.Second })
	disk := lab.SmallDisk(t, 256<<10)
	w.Dir = filepath.Join(disk, "grants")
	w.login(t)
	w.as.Set(func(o *clienttest.Options) { o.AccessTokenLifetime = 5 * time.Minute })
	events := make(chan client.Event, 100)
	c, me := w.open(t, func(cfg *client.Config) {
		cfg.OnEvent = func(_ context.Context, e client.Event) { events <- e }
	})
	w.expire(t)
	before := w.stored(t)

	// The disk fills up while the answer is on its way.
	answer := w.as.HoldAnswer(clienttest.TokenPath)
	token, failed := make(chan *oauth2.Token, 1), make(chan error, 1)
	go func() {
		got, err := me.Token(t.Context())
		token <- got
		failed <- err
	}()
	<-answer.Arrived()
	filler := fill(t, disk)
	answer.Release()
	released := time.Now()

	// The caller gets the token all the same, after a while, and it works.
	got, err := <-token, <-failed
	if err != nil {
		t.Fatalf("while the disk is full: %v", err)
	}
	t.Logf("the caller got the token after %v", time.Since(released).Round(time.Millisecond))
	if waited := time.Since(released); waited < 4*time.Second {
		t.Errorf("the caller got a token that is not saved after %v already", waited)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.as.URL(clienttest.APIPath), nil)
	got.SetAuthHeader(req)
	if resp, err := w.as.HTTPClient().Do(req); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the API answers %v, %v", resp, err)
	}
	if e := <-events; e.Kind != client.SaveFailed || !errors.Is(e.Err, syscall.ENOSPC) {
		t.Errorf("the first event is %v: %v", e.Kind, e.Err)
	}

	// Somebody else cannot write the intent, and so does not spend the old token.
	other, _ := w.open(t, nil)
	_, err = other.Account(account).Token(t.Context())
	if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary || errors.Is(err, client.ErrLoginRequired) {
		t.Errorf("another process over the full disk: %v", err)
	}
	if now := w.stored(t); now.Generation != before.Generation || now.RefreshToken != before.RefreshToken {
		t.Error("the record on the full disk has changed")
	}

	// As soon as there is room, the record is saved.
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	for w.stored(t).Generation == before.Generation && time.Since(freed) < 10*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("the record was saved %v after there was room", time.Since(freed).Round(time.Millisecond))
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	w.eachTokenWasSpentOnce(t)
	w.nobodyLoggedIn(t)
	if r := w.onceMore(t); !r.ok() {
		t.Errorf("a new process: %q", r.Failures)
	}
	if n := w.as.RefreshCount(); n != 1 {
		t.Errorf("%d token requests, for one expiry", n)
	}
}

// onceMore lets a new process call the API.
func (w *world) onceMore(t *testing.T) (r report) {
	t.Helper()
	p := lab.Start(t, program, w.config)
	p.Send(call)
	p.Receive(&r)
	return r
}

// fill writes a file into dir until nothing more fits.
func fill(t *testing.T, dir string) (name string) {
	t.Helper()
	name = filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return name
}
