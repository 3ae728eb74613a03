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

	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/redisstore"
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
	DSN      string // of PostgreSQL, or
	Redis    string // a unix socket
	Key      []byte
	Accounts int
}

// A fleetOrder is what a member does next: get a token for each account; or, if
// there is Post, send a bare refresh request with each of these; and with Store,
// what a renewal asks of the store as well, for as many accounts from First on.
type fleetOrder struct {
	Post  []string
	Store bool
	First int
}

type fleetReport struct {
	Renewed, Operations int64 // those of the process that renewed
	Loads, Saves        int64
	Failures            []string
}

// A ledger counts what is asked of a store for each account.
type ledger struct {
	*counter
	operations []atomic.Int64
}

func (l *ledger) count(key tokenstore.Key) {
	if i, err := strconv.Atoi(key.Account); err == nil {
		l.operations[i].Add(1)
	}
}

func (l *ledger) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	l.count(key)
	return l.counter.Load(ctx, key)
}

func (l *ledger) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	l.count(key)
	return l.counter.Save(ctx, key, data, old)
}

func fleetPostgreSQL(tb testing.TB, s *scale, r *Report) {
	dsn := postgresDSN(lab.StartPostgreSQL(tb).Socket)
	fleet(tb, s, r, "PostgreSQL", fleetConfig{DSN: dsn})
}

func fleetRedis(tb testing.TB, s *scale, r *Report) {
	fleet(tb, s, r, "Redis", fleetConfig{Redis: lab.StartRedis(tb).Socket})
}

func fleet(tb testing.TB, s *scale, r *Report, name string, cfg fleetConfig) {
	tb.Helper()
	as := newServer(tb, time.Hour)
	cfg.Issuer, cfg.Key, cfg.Accounts = as.Issuer(), newKey(), s.fleet
	populate(tb, as, cfg)
	all := make([]*lab.Process, members)
	for i := range all {
		all[i] = lab.Start(tb, fleetProgram, cfg)
		all[i].Receive(new(fleetReport))
	}

	// The same number of requests by the same processes, without regrant, and the
	// same with the same use of the store: once before, and once after.
	post := func(n int, withStore bool) time.Duration {
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = as.Grant("bare-" + strconv.Itoa(i)).RefreshToken
		}
		return together(tb, all, func(i int) fleetOrder {
			return fleetOrder{Post: tokens[i*n/members : (i+1)*n/members], Store: withStore, First: i * n / members}
		}, nil)
	}
	bare, stored := post(s.fleet, false), post(s.fleet, true)
	before := as.RefreshCount()
	var sum fleetReport
	took := together(tb, all, func(int) fleetOrder { return fleetOrder{} }, &sum)
	requests := as.RefreshCount() - before
	bare, stored = (bare+post(s.fleet, false))/2, (stored+post(s.fleet, true))/2
	for _, p := range all {
		p.Close()
	}

	n := float64(s.fleet)
	rate, bareRate, storedRate := n/took.Seconds(), n/bare.Seconds(), n/stored.Seconds()
	each := float64(sum.Operations) / float64(sum.Renewed)
	r.row("regrant on "+name, Figure{"refreshes", rate, "/s"}, Figure{"token requests per account", float64(requests) / n, ""},
		Figure{"store operations per refresh", each, ""},
		Figure{"of all processes: saves per account", float64(sum.Saves) / n, ""}, Figure{"loads per account", float64(sum.Loads) / n, ""})
	r.row("bare POSTs", Figure{"refreshes", bareRate, "/s"})
	r.row("bare POSTs, and the same loads and saves", Figure{"refreshes", storedRate, "/s"})
	r.atMost("token requests per account and expiry", float64(requests)/n, 1, "")
	r.atLeast("refreshes a second to bare POSTs a second", rate/bareRate, 0.5, "×")
	r.atMost("store operations per refresh, of the process that refreshes", each, 3, "")
	r.notef("of bare POSTs with the same loads and saves, it is ×%s", number(rate/storedRate))
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
			sum.Renewed, sum.Operations = sum.Renewed+r.Renewed, sum.Operations+r.Operations
			sum.Loads, sum.Saves = sum.Loads+r.Loads, sum.Saves+r.Saves
		}
	}
	return time.Since(began)
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

// open opens the store, with a connection for each worker.
func (c fleetConfig) open() (tokenstore.Store, io.Closer, error) {
	if c.Redis != "" {
		rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: c.Redis, PoolSize: workers, MinIdleConns: workers})
		return redisstore.New(rdb), rdb, nil
	}
	db, err := sql.Open("pgx", c.DSN)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(workers)
	db.SetMaxIdleConns(workers)
	return sqlstore.New(db, sqlstore.PostgreSQL), db, connect(db)
}

func (c fleetConfig) client(store tokenstore.Store, onEvent func(context.Context, client.Event)) (*client.Client, error) {
	sealer, err := tokenstore.NewSealer(c.Key)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		Issuer: c.Issuer, ClientID: clienttest.PublicClient, Store: store, Sealer: sealer,
		Endpoint: oauth2.Endpoint{TokenURL: c.Issuer + clienttest.TokenPath},
		// Fewer connections that stay open than workers would close most of them after each request.
		HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}},
		OnEvent:    onEvent,
	})
}

// fleetMember is what a member does.
func fleetMember(child *lab.Child) error {
	var cfg fleetConfig
	if err := child.Receive(&cfg); err != nil {
		return err
	}
	inner, closer, err := cfg.open()
	if err != nil {
		return err
	}
	defer closer.Close()
	store := &ledger{&counter{Store: inner}, make([]atomic.Int64, cfg.Accounts)}
	var renewed, operations atomic.Int64
	c, err := cfg.client(store, func(_ context.Context, e client.Event) {
		if i, err := strconv.Atoi(e.Key.Account); err == nil && e.Kind == client.Renewed {
			renewed.Add(1)
			operations.Add(store.operations[i].Load())
		}
	})
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
		accounts := rand.Perm(cfg.Accounts)
		switch {
		case o.Store:
			err = each(len(accounts), func(i int) error { return o.bareRenewal(cfg, inner, poster, accounts[i]) })
		case o.Post != nil:
			err = each(len(o.Post), func(i int) error { return bareRefresh(poster, cfg.Issuer+clienttest.TokenPath, o.Post[i]) })
		default:
			err = each(len(accounts), func(i int) error {
				_, err := c.Account(strconv.Itoa(accounts[i])).Token(context.Background())
				return err
			})
		}
		r := fleetReport{Renewed: renewed.Load(), Operations: operations.Load(), Loads: store.loads.Load(), Saves: store.saves.Load()}
		if err != nil {
			r.Failures = strings.Split(err.Error(), "\n")[:1]
		}
		if err := child.Report(r); err != nil {
			return err
		}
	}
}

// connect opens all connections to the database: a server that starts a process
// for each is busy with that for a while.
func connect(db *sql.DB) error {
	var all [workers]*sql.Conn
	for i := range all {
		c, err := db.Conn(context.Background())
		if err != nil {
			return err
		}
		all[i] = c
	}
	for _, c := range all {
		if err := c.Close(); err != nil { // gives it back
			return err
		}
	}
	return nil
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

// bareRenewal is what a renewal does outside of regrant: every member loads every
// account, and one of them saves twice, around a request.
func (o fleetOrder) bareRenewal(cfg fleetConfig, store tokenstore.Store, c *http.Client, account int) error {
	ctx := context.Background()
	key := tokenstore.Key{Issuer: cfg.Issuer, ClientID: clienttest.PublicClient, Account: strconv.Itoa(account)}
	data, v, err := store.Load(ctx, key)
	i := account - o.First
	if err != nil || i < 0 || i >= len(o.Post) {
		return err
	}
	if v, err = store.Save(ctx, key, data, v); err != nil {
		return err
	}
	if err := bareRefresh(c, cfg.Issuer+clienttest.TokenPath, o.Post[i]); err != nil {
		return err
	}
	_, err = store.Save(ctx, key, data, v)
	return err
}
