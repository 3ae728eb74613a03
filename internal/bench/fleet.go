package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// A fleet is four processes that share a store with many accounts, all of which
// have just expired. Each process wants a token for each account, in an order of
// its own.

const (
	fleetProgram = "fleet"
	members      = 4
	workers      = 16 // of each member
)

// fleetConfig is what a member has to know.
type fleetConfig struct {
	Issuer   string
	DSN      string
	Key      []byte
	Accounts int
}

// A fleetOrder is what a member does next: tokens for all accounts, or, if Post
// is not empty, a bare refresh request for each of these.
type fleetOrder struct {
	Post []string
}

type fleetReport struct {
	Loads, Saves int64
	Failures     []string
}

func fleetPostgreSQL(tb testing.TB, s *scale, r *Report) {
	dsn := postgresDSN(lab.StartPostgreSQL(tb))
	fleet(tb, s, r, "PostgreSQL", dsn)
}

func fleet(tb testing.TB, s *scale, r *Report, name, dsn string) {
	tb.Helper()
	as := newServer(tb, time.Hour)
	cfg := fleetConfig{Issuer: as.Issuer(), DSN: dsn, Key: newKey(), Accounts: s.fleet}
	populate(tb, as, cfg)
	all := make([]*lab.Process, members)
	for i := range all {
		all[i] = lab.Start(tb, fleetProgram, cfg)
		all[i].Receive(new(fleetReport))
	}

	// The same number of requests by the same processes, without regrant: half of
	// them before, and half after.
	bare := time.Duration(0)
	post := func(n int) {
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = as.Grant("bare-" + strconv.Itoa(i)).RefreshToken
		}
		bare += together(tb, all, func(i int) fleetOrder { return fleetOrder{Post: tokens[i*n/members : (i+1)*n/members]} }, nil)
	}
	post(s.fleet / 2)
	before := as.RefreshCount()
	var sum fleetReport
	took := together(tb, all, func(int) fleetOrder { return fleetOrder{} }, &sum)
	requests := as.RefreshCount() - before
	post(s.fleet / 2)
	for _, p := range all {
		p.Close()
	}

	n := float64(s.fleet)
	rate, bareRate := n/took.Seconds(), n/bare.Seconds()
	perProcess := float64(sum.Loads) / (n * members)
	r.row("regrant on "+name, Figure{"refreshes", rate, "/s"}, Figure{"token requests per account", float64(requests) / n, ""},
		Figure{"saves per refresh", float64(sum.Saves) / n, ""}, Figure{"loads per account and process", perProcess, ""})
	r.row("bare POSTs", Figure{"refreshes", bareRate, "/s"})
	r.atMost("token requests per account and expiry", float64(requests)/n, 1, "")
	r.atLeast("refreshes a second to bare POSTs a second", rate/bareRate, 0.5, "×")
	r.atMost("store operations of a process that refreshes", float64(sum.Saves)/n+perProcess, 3, "")
	if reused := as.Reused(); reused != 0 {
		tb.Errorf("%d refresh tokens were sent twice", reused)
	}
	r.notef("%d processes with %d goroutines each, %d accounts in all of them, %v from the first to the last", members, workers, s.fleet, took.Round(time.Millisecond))
}

// together gives each member its order, and waits until all have followed it.
func together(tb testing.TB, all []*lab.Process, order func(int) fleetOrder, sum *fleetReport) time.Duration {
	tb.Helper()
	orders := make([]fleetOrder, len(all))
	for i := range all {
		orders[i] = order(i)
	}
	began := time.Now()
	for i, p := range all {
		p.Send(orders[i])
	}
	for _, p := range all {
		var r fleetReport
		p.Receive(&r)
		for _, f := range r.Failures {
			tb.Errorf("process %d: %s", p.PID(), f)
		}
		if sum != nil {
			sum.Loads, sum.Saves = sum.Loads+r.Loads, sum.Saves+r.Saves
		}
	}
	return time.Since(began)
}

// populate logs all accounts in, with access tokens that have ended.
func populate(tb testing.TB, as *clienttest.Server, cfg fleetConfig) {
	tb.Helper()
	store, db, err := cfg.open()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	if err := store.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	c, err := cfg.client(store)
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

func (c fleetConfig) open() (*sqlstore.Store, *sql.DB, error) {
	db, err := sql.Open("pgx", c.DSN)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(workers)
	db.SetMaxIdleConns(workers)
	return sqlstore.New(db, sqlstore.PostgreSQL), db, nil
}

func (c fleetConfig) client(store tokenstore.Store) (*client.Client, error) {
	sealer, err := tokenstore.NewSealer(c.Key)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		Issuer: c.Issuer, ClientID: clienttest.PublicClient, Store: store, Sealer: sealer,
		Endpoint: oauth2.Endpoint{TokenURL: c.Issuer + clienttest.TokenPath},
		// Fewer connections that stay open than workers would close most of them after each request.
		HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}},
	})
}

// fleetMember is what a member does.
func fleetMember(child *lab.Child) error {
	var cfg fleetConfig
	if err := child.Receive(&cfg); err != nil {
		return err
	}
	inner, db, err := cfg.open()
	if err != nil {
		return err
	}
	defer db.Close()
	store := &counter{Store: inner}
	c, err := cfg.client(store)
	if err != nil {
		return err
	}
	poster := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	if err := child.Report(fleetReport{}); err != nil {
		return err
	}
	for {
		var o fleetOrder
		if err := child.Receive(&o); errors.Is(err, io.EOF) {
			return c.Close()
		} else if err != nil {
			return err
		}
		if len(o.Post) > 0 {
			err = each(len(o.Post), func(i int) error { return bareRefresh(poster, cfg.Issuer+clienttest.TokenPath, o.Post[i]) })
		} else {
			accounts := rand.Perm(cfg.Accounts)
			err = each(len(accounts), func(i int) error {
				_, err := c.Account(strconv.Itoa(accounts[i])).Token(context.Background())
				return err
			})
		}
		r := fleetReport{Loads: store.loads.Load(), Saves: store.saves.Load()}
		if err != nil {
			r.Failures = strings.Split(err.Error(), "\n")[:1]
		}
		if err := child.Report(r); err != nil {
			return err
		}
	}
}

// each does n things, by as many workers as a member has, and joins the errors.
func each(n int, do func(int) error) error {
	var next atomic.Int64
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := next.Add(1) - 1; int(i) < n; i = next.Add(1) - 1 {
				if err := do(int(i)); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return failed
}

// bareRefresh is a refresh request without anything around it.
func bareRefresh(c *http.Client, endpoint, token string) error {
	resp, err := c.PostForm(endpoint, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {clienttest.PublicClient},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", resp.Status)
	}
	return nil
}
