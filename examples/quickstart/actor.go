package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/regrant/regrant/client"
)

// An actor is one process of the show: it calls the API from many goroutines,
// and reports what it sees.
type actor struct {
	setup

	span time.Duration // how long it calls, at most
	tell func(report)
	wire *wire

	telling sync.Mutex // reports come one after the other, and so in order

	mu      sync.Mutex
	numbers numbers
}

func newActor(s setup, span time.Duration, tell func(report)) *actor {
	a := &actor{setup: s, span: span, tell: tell, wire: newWire(s.Goroutines)}
	a.wire.onHeld = func() { a.report(report{Kind: held}) }
	return a
}

// run uses the library until ctx ends.
func (a *actor) run(ctx context.Context, user client.Flow) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	cfg.HTTPClient = &http.Client{Transport: a.wire}
	cfg.OnEvent = func(_ context.Context, e client.Event) { a.onEvent(e) }
	return use(ctx, cfg, user, func(me *client.Account) { a.work(ctx, me) })
}

// work calls the API from all goroutines until it is told to stop, or until only
// a login could help.
func (a *actor) work(ctx context.Context, me *client.Account) {
	ctx, stop := context.WithTimeout(ctx, a.span)
	defer stop()
	a.begin(ctx, me)

	var callers sync.WaitGroup
	for range a.Goroutines {
		callers.Go(func() {
			for pause(ctx, rand.N(2*a.Every)) {
				if err := a.call(ctx, me); errors.Is(err, client.ErrLoginRequired) {
					stop()
				}
			}
		})
	}
	var ticking sync.WaitGroup
	ticking.Go(func() {
		for pause(ctx, tick) {
			a.report(report{Kind: counted})
		}
	})
	callers.Wait()
	stop()
	ticking.Wait()
}

const (
	tick     = 100 * time.Millisecond // between two reports of the numbers
	patience = 15 * time.Second       // for one call
	longest  = 24 * time.Hour         // for a process that is told when to stop
)

// pause waits, and tells whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// begin tells how the process came to its grant.
func (a *actor) begin(ctx context.Context, me *client.Account) {
	r := report{Kind: began}
	if s, err := me.Status(ctx); err == nil {
		r.Generation, r.Obtained, r.Lifetime = s.Generation, s.Renewed, s.Expiry.Sub(s.Renewed)
	}
	var who struct {
		Sub string `json:"sub"`
	}
	switch err := me.Claims(ctx, &who); {
	case a.Process == mainProcess && err == nil:
		r.Text = "logged in as " + who.Sub
	case a.Process == mainProcess:
		r.Text = "logged in"
	case a.wire.requests.Load() == 0:
		r.Text = "found the grant: no login, no request"
	default:
		r.Text = "found the grant: no login"
	}
	a.report(r)
}

// call makes one call. Its time is its own: an end of the show does not cut it.
func (a *actor) call(ctx context.Context, me *client.Account) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	start := time.Now()
	err := call(ctx, me, a.API)
	a.mu.Lock()
	a.numbers.Calls++
	a.numbers.Slowest = max(a.numbers.Slowest, time.Since(start))
	a.mu.Unlock()
	if err != nil {
		a.fail(err)
	}
	return err
}

// fail counts a failure, and tells of the first one.
func (a *actor) fail(err error) {
	a.mu.Lock()
	a.numbers.Failed++
	first := a.numbers.Failed == 1
	a.mu.Unlock()
	if first {
		a.report(report{Kind: failed, Text: err.Error()})
	}
}

func (a *actor) onEvent(e client.Event) {
	r := report{Kind: e.Kind.String(), Generation: e.Generation}
	if e.Err != nil {
		r.Text = e.Err.Error()
	}
	a.report(r)
}

// report adds what all reports have.
func (a *actor) report(r report) {
	a.telling.Lock()
	defer a.telling.Unlock()
	r.Time, r.Process = time.Now(), a.Process
	a.mu.Lock()
	r.numbers = a.numbers
	a.mu.Unlock()
	r.Requests, r.Refusals = a.wire.requests.Load(), a.wire.refusals.Load()
	a.tell(r)
}

// childArg makes this program a child of the show.
const childArg = "quickstart-process"

// child is main of the other processes.
func child(in io.Reader, out io.Writer) int {
	signal.Ignore(os.Interrupt) // the terminal sends it to all of us, and main decides
	orders := json.NewDecoder(in)
	var s setup
	if err := orders.Decode(&s); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart: this process is started by the quickstart itself:", err)
		return 2
	}
	lines := json.NewEncoder(out)
	a := newActor(s, longest, func(r report) {
		_ = lines.Encode(r) // without main nobody reads it, and the input ends as well
	})

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		defer stop()
		for {
			var o order
			if err := orders.Decode(&o); err != nil {
				a.wire.obey(order{})
				return
			}
			a.wire.obey(o)
		}
	}()
	nobody := client.Browser{Open: func(string) error {
		return errors.New("the grant is in the store, so this process should not ask for a login")
	}}
	if err := a.run(ctx, nobody); err != nil && ctx.Err() == nil {
		a.fail(err)
	}
	a.report(report{Kind: stopped})
	return 0
}
