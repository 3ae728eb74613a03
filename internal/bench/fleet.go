package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// A fleet is four processes that share a store with many accounts, all of which
// have just expired. An account is wanted by some of the processes or by all of
// them, and each goes through its accounts in an order of its own.

const (
	fleetProgram = "fleet"
	members      = 4
	workers      = 16 // of each member
)

// fleetConfig is what a member has to know.
type fleetConfig struct {
	Issuer   string
	DSN      string // of PostgreSQL, or
	Redis    string // a unix socket
	Key      []byte
	Accounts int
}

func fleetPostgreSQL(tb testing.TB, s *scale, r *Report) {
	dsn := postgresDSN(lab.StartPostgreSQL(tb).Socket)
	runFleet(tb, s, r, fleetConfig{DSN: dsn})
}

func fleetRedis(tb testing.TB, s *scale, r *Report) {
	runFleet(tb, s, r, fleetConfig{Redis: lab.StartRedis(tb).Socket})
}

// A fleet is the processes, and the server that they ask.
type fleet struct {
	as      *clienttest.Server
	members []*lab.Process
}

func runFleet(tb testing.TB, s *scale, r *Report, cfg fleetConfig) {
	tb.Helper()
	few := max(members, s.fleet/5)
	f := &fleet{as: newServer(tb, time.Hour)}
	cfg.Issuer, cfg.Key, cfg.Accounts = f.as.Issuer(), newKey(), s.fleet+2*few
	populate(tb, f.as, cfg)
	for range members {
		p := lab.Start(tb, fleetProgram, cfg)
		p.Receive(new(fleetReport))
		f.members = append(f.members, p)
	}
	f.measure(tb, r, members, 0, s.fleet) // that the bars are about
	f.measure(tb, r, 2, s.fleet, few)
	f.measure(tb, r, 1, s.fleet+few, few)
	for _, p := range f.members {
		p.Close()
	}
	if reused := f.as.Reused(); reused != 0 {
		tb.Errorf("%d refresh tokens were sent twice", reused)
	}
	r.notef("%d processes with %d goroutines and as many connections each; %d accounts that all of them want, %d that two want, %d that one wants", members, workers, s.fleet, few, few)
}

// measure lets n accounts from first on be renewed, each wanted by so many
// members. Before that and after it, the same processes send as many requests
// without regrant, and make the same use of the store.
func (f *fleet) measure(tb testing.TB, r *Report, wanted, first, n int) {
	tb.Helper()
	bare, stored := f.post(tb, wanted, first, n, false), f.post(tb, wanted, first, n, true)
	before := f.as.RefreshCount()
	ours := f.order(tb, func(m int) fleetOrder { return fleetOrder{Accounts: share(m, wanted, first, n)} })
	requests := f.as.RefreshCount() - before
	bare, stored = bare.mean(f.post(tb, wanted, first, n, false)), stored.mean(f.post(tb, wanted, first, n, true))

	total := float64(n)
	perRefresh := float64(ours.Operations) / float64(ours.Renewed)
	r.row(fmt.Sprintf("regrant, each account wanted by %d", wanted), append(ours.figures(n, bare, stored),
		Figure{"token requests per account", float64(requests) / total, ""}, Figure{"store operations per refresh", perRefresh, ""},
		Figure{"loads by all", float64(ours.Loads) / total, ""}, Figure{"saves by all", float64(ours.Saves) / total, ""})...)
	r.row("bare POSTs", bare.figures(n, bare, stored)...)
	r.row("bare POSTs, and the same loads and saves", stored.figures(n, bare, stored)...)
	if wanted < members {
		if requests != n {
			tb.Errorf("%d token requests for %d accounts", requests, n)
		}
		return
	}
	r.atMost("token requests per account and expiry", float64(requests)/total, 1, "")
	r.atLeast("refreshes a second to bare POSTs a second", bare.took.Seconds()/ours.took.Seconds(), 0.5, "×")
	r.atMost("store operations per refresh, of the process that refreshes", perRefresh, 3, "")
}

// share returns the accounts that member m wants.
func share(m, wanted, first, n int) (all []int) {
	for i := first; i < first+n; i++ {
		if (i+m)%members < wanted {
			all = append(all, i)
		}
	}
	return all
}

// An effort is how an order was followed by all members.
type effort struct {
	fleetReport
	took time.Duration
	cpu  processorTime
}

func (e effort) mean(o effort) effort {
	e.took = (e.took + o.took) / 2
	e.cpu = e.cpu.plus(o.cpu).times(0.5)
	return e
}

func (e effort) figures(n int, bare, stored effort) []Figure {
	all := []Figure{
		{"refreshes", float64(n) / e.took.Seconds(), "/s"},
		{"to bare POSTs", bare.took.Seconds() / e.took.Seconds(), "×"},
		{"to those with loads and saves", stored.took.Seconds() / e.took.Seconds(), "×"},
	}
	if each := e.cpu.times(1 / float64(n)); each != (processorTime{}) {
		all = append(all, Figure{"processor: members", micros(each.members), "µs"},
			Figure{"server", micros(each.server), "µs"}, Figure{"store", micros(each.store), "µs"})
	}
	return all
}

// post sends a bare request for each account.
func (f *fleet) post(tb testing.TB, wanted, first, n int, withStore bool) effort {
	tb.Helper()
	tokens := make([]map[int]string, members)
	for m := range tokens {
		tokens[m] = map[int]string{}
	}
	for i := first; i < first+n; i++ {
		// One of those who want it: (i+m)%members is 0.
		tokens[(members-i%members)%members][i] = f.as.Grant("bare-" + strconv.Itoa(i)).RefreshToken
	}
	return f.order(tb, func(m int) fleetOrder {
		return fleetOrder{Accounts: share(m, wanted, first, n), Post: tokens[m], Store: withStore}
	})
}

// order gives each member its order, and waits until all have followed it.
func (f *fleet) order(tb testing.TB, of func(m int) fleetOrder) (e effort) {
	tb.Helper()
	orders := make([]fleetOrder, members)
	pids := make([]int, members)
	for m, p := range f.members {
		orders[m], pids[m] = of(m), p.PID()
	}
	cpu, began := processors(pids), time.Now()
	for m, p := range f.members {
		p.Send(orders[m])
	}
	for _, p := range f.members {
		var r fleetReport
		p.Receive(&r)
		for _, problem := range r.Failures {
			tb.Errorf("process %d: %s", p.PID(), problem)
		}
		e.add(r)
	}
	e.took, e.cpu = time.Since(began), processors(pids).plus(cpu.times(-1))
	return e
}

// populate logs all accounts in, with access tokens that have ended.
func populate(tb testing.TB, as *clienttest.Server, cfg fleetConfig) {
	tb.Helper()
	store, closer, err := cfg.open()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = closer.Close() })
	if s, ok := store.(*sqlstore.Store); ok {
		if err := s.Migrate(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	c, err := cfg.client(store, nil)
	if err != nil {
		tb.Fatal(err)
	}
	err = each(cfg.Accounts, func(i int) error {
		return c.Account(strconv.Itoa(i)).Login(tb.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
			t := as.Grant(strconv.Itoa(i))
			t.Expiry = time.Now().Add(-time.Second)
			return t, nil
		}))
	})
	if err = errors.Join(err, c.Close()); err != nil {
		tb.Fatal(err)
	}
}
