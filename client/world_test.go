package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// lifetime is that of an access token in these tests.
const lifetime = time.Minute

// A world is one authorization server and one store. The processes in it are
// Clients of their own: they share nothing but the store.
type world struct {
	t      *testing.T
	as     *clienttest.Server
	shared *memstore.Store
	key    tokenstore.Key
}

// inWorld runs a test in a bubble, where time is simulated.
func inWorld(t *testing.T, set func(*clienttest.Options), test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		as := clienttest.NewMemoryServer(t)
		as.Set(func(o *clienttest.Options) {
			o.AccessTokenLifetime = lifetime
			if set != nil {
				set(o)
			}
		})
		test(t, &world{t: t, as: as, shared: memstore.New(),
			key: tokenstore.Key{Issuer: as.Issuer(), ClientID: clienttest.PublicClient, Account: "alice"}})
	})
}

// A process is a program on its way. Its hooks run at the named points, once
// each, and what they return is what happens there.
type process struct {
	w      *world
	client *client.Client
	me     *client.Account
	lock   func() // unlock of the lock that it holds, if it does

	mu      sync.Mutex
	stopped chan struct{} // not nil: the process is stopped, as by SIGSTOP
	events  []client.Event
	loads   int           // of the store
	skew    time.Duration // how far its wall clock is ahead

	beforeSave   func(*record.Record) error // an error: nothing is written
	afterSave    func(*record.Record) error // an error: it is written all the same
	afterLoad    func(*record.Record)       // what was read, nil: nothing
	beforeDelete func()
	beforeSend   func() // before a token request leaves the process
	afterAnswer  func() // when its answer, or the lack of one, has arrived
}

type option func(*client.Config, *process)

// start starts a process. Its store has no Locker unless withLock is given.
func (w *world) start(options ...option) *process {
	w.t.Helper()
	p := &process{w: w}
	cfg := client.Config{
		Issuer: w.key.Issuer, ClientID: w.key.ClientID,
		Store:      &desk{p: p},
		HTTPClient: &http.Client{Transport: p},
		OnEvent: func(_ context.Context, e client.Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.events = append(p.events, e)
		},
	}
	for _, o := range options {
		o(&cfg, p)
	}
	c, err := client.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { p.cont(); _ = c.Close() })
	p.client, p.me = c, c.Account(w.key.Account)
	return p
}

func withLock(cfg *client.Config, p *process) { cfg.Store = &lockingDesk{&desk{p: p}} }

// login logs in by a grant from the server, and returns its refresh token.
func (p *process) login() string {
	p.w.t.Helper()
	var rt string
	err := p.me.Login(p.w.t.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
		t := p.w.as.Grant("alice")
		rt = t.RefreshToken
		return t, nil
	}))
	if err != nil {
		p.w.t.Fatalf("login: %v", err)
	}
	return rt
}

// stop and cont are SIGSTOP and SIGCONT: everything that a process does to the
// world waits; time does not.
func (p *process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped == nil {
		p.stopped = make(chan struct{})
	}
}

func (p *process) cont() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped != nil {
		close(p.stopped)
		p.stopped = nil
	}
}

// gate is where a stopped process stands still.
func (p *process) gate() {
	p.mu.Lock()
	stopped := p.stopped
	p.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

// take returns a hook and removes it.
func take[F any](p *process, hook *F) F {
	p.mu.Lock()
	defer p.mu.Unlock()
	var none F
	h := *hook
	*hook = none
	return h
}

// plant sets a hook of a process that is running.
func plant[F any](p *process, hook *F, f F) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*hook = f
}

func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	base := p.w.as.HTTPClient().Transport
	if !strings.HasSuffix(r.URL.Path, clienttest.TokenPath) {
		p.gate()
		return base.RoundTrip(r)
	}
	if h := take(p, &p.beforeSend); h != nil {
		h()
	}
	p.gate()
	resp, err := base.RoundTrip(r)
	if h := take(p, &p.afterAnswer); h != nil {
		h()
	}
	p.gate()
	return resp, err
}

// A desk is what a process has of the shared store. It is Protected, so that the
// tests can read the records.
type desk struct{ p *process }

func (d *desk) Protected() {}

func (d *desk) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	d.p.gate()
	defer d.p.gate()
	d.p.mu.Lock()
	d.p.loads++
	d.p.mu.Unlock()
	data, v, err := d.p.w.shared.Load(ctx, key)
	if h := take(d.p, &d.p.afterLoad); h != nil {
		rec, _ := record.Decode(data, key.String())
		h(rec)
	}
	return data, v, err
}

func (d *desk) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	d.p.gate()
	defer d.p.gate()
	rec, err := record.Decode(data, key.String())
	if err != nil {
		return "", err
	}
	if rec.Intent != nil && d.p.skew != 0 {
		i := *rec.Intent
		i.Started = i.Started.Add(d.p.skew)
		if data, err = rec.With(&i).Encode(key.String()); err != nil {
			return "", err
		}
	}
	if h := take(d.p, &d.p.beforeSave); h != nil {
		if err := h(rec); err != nil {
			return "", err
		}
	}
	v, err := d.p.w.shared.Save(ctx, key, data, old)
	if h := take(d.p, &d.p.afterSave); h != nil && err == nil {
		if err := h(rec); err != nil {
			return "", err
		}
	}
	return v, err
}

func (d *desk) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	d.p.gate()
	defer d.p.gate()
	if h := take(d.p, &d.p.beforeDelete); h != nil {
		h()
	}
	return d.p.w.shared.Delete(ctx, key, old)
}

type lockingDesk struct{ *desk }

func (d *lockingDesk) Lock(ctx context.Context, key tokenstore.Key) (func(), error) {
	d.p.gate()
	unlock, err := d.p.w.shared.Lock(ctx, key)
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	d.p.lock = unlock
	return unlock, err
}

var errStore = errors.New("the store has failed")

// onResult runs f at the first save that brings tokens, and fails every save
// before it looks like one: heartbeats pass.
func onResult(p *process, hook *func(*record.Record) error, f func(*record.Record) error) {
	var h func(*record.Record) error
	h = func(rec *record.Record) error {
		if rec.Intent != nil {
			plant(p, hook, h)
			return nil
		}
		return f(rec)
	}
	plant(p, hook, h)
}

// storeFails lets every save fail for d that brings tokens.
func (p *process) storeFails(d time.Duration) {
	until := time.Now().Add(d)
	var failing func(*record.Record) error
	failing = func(*record.Record) error {
		if time.Now().After(until) {
			return nil
		}
		onResult(p, &p.beforeSave, failing)
		return errStore
	}
	onResult(p, &p.beforeSave, failing)
}

// stored returns the record as it lies in the store, nil if there is none.
func (w *world) stored() *record.Record {
	w.t.Helper()
	data, _, err := w.shared.Load(w.t.Context(), w.key)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	rec, err := record.Decode(data, w.key.String())
	if err != nil {
		w.t.Fatal(err)
	}
	return rec
}

// overwrite puts rec into the store without asking anybody: a restored backup.
func (w *world) overwrite(rec *record.Record) {
	w.t.Helper()
	data, err := rec.Encode(w.key.String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(data)
}

// write puts bytes into the store without asking anybody.
func (w *world) write(data []byte) {
	w.t.Helper()
	_, v, err := w.shared.Load(w.t.Context(), w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.shared.Save(w.t.Context(), w.key, data, v); err != nil {
		w.t.Fatal(err)
	}
}

// A result is what a call in the background returns.
type result struct {
	token *oauth2.Token
	err   error
}

func (p *process) async() <-chan result {
	c := make(chan result, 1)
	go func() {
		t, err := p.me.Token(context.Background())
		c <- result{t, err}
	}()
	return c
}

// works checks that the process gets a token now which the API accepts.
func (p *process) works(who string) {
	p.w.t.Helper()
	resp, err := p.me.HTTPClient().Get(p.w.as.URL(clienttest.APIPath))
	if err != nil {
		p.w.t.Errorf("%s does not work: %v", who, err)
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.w.t.Errorf("%s does not work: the API answers %d", who, resp.StatusCode)
	}
}

func (w *world) expire() { time.Sleep(lifetime) }

// requests checks how many refresh requests have reached the server.
func (w *world) requests(want int) {
	w.t.Helper()
	if got := w.as.RefreshCount(); got != want {
		w.t.Errorf("%d refresh requests have reached the server, want %d", got, want)
	}
}

// happened tells whether the process was told of an event of that kind.
func (p *process) happened(kind client.EventKind) bool {
	synctest.Wait() // events come after the answer
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

func strict(o *clienttest.Options)       { o.Rotation = clienttest.RefuseReuse }
func strictFamily(o *clienttest.Options) { o.Rotation = clienttest.RevokeFamily }
func oneSlot(o *clienttest.Options) {
	o.Rotation, o.InGrace, o.Grace = clienttest.RefuseReuse, clienttest.OneSlot, 2*time.Minute
}
func grace(d time.Duration) func(*clienttest.Options) {
	return func(o *clienttest.Options) { o.Grace = d }
}
