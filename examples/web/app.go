package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/regrant/regrant/client/clienttest"
)

// An app is the application. What it remembers of its own is for the page alone;
// all else is in the stores and in the browsers, so that any number of machines
// can run it.
type app struct {
	opts     *options
	base     *url.URL // under which browsers reach it
	log      *slog.Logger
	stores   *stores
	services []*service // the sign-in comes first
	demos    []*clienttest.Server
	pages    *pages

	history history
	jobs    jobs
	upkeep  upkeep

	life context.Context // of what goes on without a request
	end  context.CancelFunc
	work sync.WaitGroup
}

func newApp(ctx context.Context, o *options, log *slog.Logger) (_ *app, err error) {
	base, err := url.Parse(o.url)
	if err != nil {
		return nil, err
	}
	a := &app{opts: o, base: base, log: log, pages: loadPages()}
	a.life, a.end = context.WithCancel(context.WithoutCancel(ctx))
	if a.stores, err = openStores(ctx, o, log); err != nil {
		return nil, err
	}
	if o.issuer == "" {
		err = a.openDemos()
	} else {
		err = a.openReal(ctx, o)
	}
	if err != nil {
		return nil, errors.Join(err, a.close())
	}
	a.work.Go(a.keepAlive)
	return a, nil
}

// close finishes what is under way, and says what could not be saved.
func (a *app) close() error {
	a.end()
	a.work.Wait()
	var errs []error
	for _, s := range a.services {
		if err := s.client.Close(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.title, err))
		}
	}
	for _, as := range a.demos {
		as.Close()
	}
	return errors.Join(append(errs, a.stores.close())...)
}

// hint says what to do first.
func (a *app) hint() string {
	if a.demos != nil {
		return "The servers are part of the program: pick any user, no password is asked for."
	}
	return "Sign-in is at " + a.opts.issuer + "."
}

func (a *app) signIn() *service { return a.services[0] }

// connectionOf returns the service with a slot, nil if there is none.
func (a *app) connectionOf(slot string) *service {
	i := slices.IndexFunc(a.services, func(s *service) bool { return s.slot == slot })
	if i < 0 {
		return nil
	}
	return a.services[i]
}

// handler routes. What changes something is a POST, and the guard before it all
// lets none pass that a foreign page has sent.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.withUser(a.dashboard))
	mux.HandleFunc("GET /signed-out", a.signedOut)
	mux.HandleFunc("POST /signin", a.beginSignIn)
	mux.HandleFunc("GET /signin/callback", a.finishSignIn)
	mux.HandleFunc("POST /signout", a.withUser(a.signOut))
	mux.HandleFunc("POST /backchannel-logout", a.backChannelLogout)
	mux.HandleFunc("GET /connections/{slot}", a.withConnection(a.detail))
	mux.HandleFunc("POST /connections/{slot}/connect", a.withConnection(a.connect))
	mux.HandleFunc("GET /connections/{slot}/callback", a.withConnection(a.connected))
	mux.HandleFunc("POST /connections/{slot}/disconnect", a.withConnection(a.disconnect))
	mux.HandleFunc("POST /connections/{slot}/trouble", a.withConnection(a.makeTrouble))
	mux.HandleFunc("POST /job", a.withUser(a.startJob))
	mux.HandleFunc("POST /keep-alive", a.withUser(a.startKeepAlive))
	mux.HandleFunc("GET /style.css", a.pages.style)
	mux.HandleFunc("GET /icon.svg", a.pages.icon)
	mux.HandleFunc("/", a.notFound)
	return a.guard(mux)
}
