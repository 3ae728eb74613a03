package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/redisstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// A fleetOrder is what a member does next: get a token for each of the accounts;
// or, if there is Post, send a bare refresh request with each of these; and with
// Store, what a renewal asks of the store as well: a load of each of the accounts,
// and two saves of those that have something to post.
type fleetOrder struct {
	Accounts []int
	Post     map[int]string // by account
	Store    bool
}

// A fleetReport is what came of an order.
type fleetReport struct {
	Renewed, Operations int64 // those of the process that renewed
	Loads, Saves        int64
	Failures            []string
}

func (r *fleetReport) add(o fleetReport) {
	r.Renewed, r.Operations = r.Renewed+o.Renewed, r.Operations+o.Operations
	r.Loads, r.Saves = r.Loads+o.Loads, r.Saves+o.Saves
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
		err := o.follow(cfg, c, inner, poster)
		r := fleetReport{
			Renewed: renewed.Swap(0), Operations: operations.Swap(0),
			Loads: store.loads.Swap(0), Saves: store.saves.Swap(0),
		}
		if err != nil {
			r.Failures = strings.Split(err.Error(), "\n")[:1]
		}
		if err := child.Report(r); err != nil {
			return err
		}
	}
}

// follow does what was ordered, in an order of its own.
func (o fleetOrder) follow(cfg fleetConfig, c *client.Client, store tokenstore.Store, poster *http.Client) error {
	all := o.Accounts
	if o.Post != nil && !o.Store {
		all = slices.Collect(maps.Keys(o.Post))
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return each(len(all), func(i int) error {
		switch account := all[i]; {
		case o.Store:
			return o.bareRenewal(cfg, store, poster, account)
		case o.Post != nil:
			return bareRefresh(poster, cfg.Issuer+clienttest.TokenPath, o.Post[account])
		default:
			_, err := c.Account(strconv.Itoa(account)).Token(context.Background())
			return err
		}
	})
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

// bareRenewal is what a renewal does outside of regrant: every member loads the
// account, and one of them saves twice, around a request.
func (o fleetOrder) bareRenewal(cfg fleetConfig, store tokenstore.Store, c *http.Client, account int) error {
	ctx := context.Background()
	key := tokenstore.Key{Issuer: cfg.Issuer, ClientID: clienttest.PublicClient, Account: strconv.Itoa(account)}
	data, v, err := store.Load(ctx, key)
	token, mine := o.Post[account]
	if err != nil || !mine {
		return err
	}
	if v, err = store.Save(ctx, key, data, v); err != nil {
		return err
	}
	if err := bareRefresh(c, cfg.Issuer+clienttest.TokenPath, token); err != nil {
		return err
	}
	_, err = store.Save(ctx, key, data, v)
	return err
}
