package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // MariaDB
	_ "github.com/jackc/pgx/v5/stdlib" // PostgreSQL
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // SQLite

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/keyringstore"
	"github.com/regrant/regrant/tokenstore/memstore"
	"github.com/regrant/regrant/tokenstore/redisstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// An endpoint is a token endpoint without a network, and without a memory:
// whatever comes is answered with new tokens at once.
type endpoint struct {
	lifetime time.Duration
	length   int // of its access tokens
}

func (e endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	answer := fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":%d,"refresh_token":%q}`, rand.Text()+letters(max(0, e.length-26)), int(e.lifetime.Seconds()), rand.Text())
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(strings.NewReader(answer)),
		Header: http.Header{"Content-Type": {"application/json"}},
	}, nil
}

// A counter counts what is asked of a store, and remembers how much was written.
type counter struct {
	tokenstore.Store
	loads, saves, size atomic.Int64
}

func (c *counter) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	c.loads.Add(1)
	return c.Store.Load(ctx, key)
}

func (c *counter) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	c.saves.Add(1)
	c.size.Store(int64(len(data)))
	return c.Store.Save(ctx, key, data, old)
}

// A lockingCounter counts at a store with locks, which are not counted.
type lockingCounter struct {
	*counter
	tokenstore.Locker
}

// A protectedCounter counts at a store that needs no Sealer.
type protectedCounter struct{ *lockingCounter }

func (protectedCounter) Protected() {}

// A shop is a store beside the least that a write to the same place costs.
type shop struct {
	name  string
	store tokenstore.Store
	floor string
	write func(data []byte) error
}

// rotation renews one grant again and again, on each store of one host.
func rotation(tb testing.TB, s *scale, r *Report) {
	dir := tb.TempDir()
	kept := map[string][]byte{}
	sqlite := openSQL(tb, "sqlite", "file:"+filepath.Join(dir, "grants.db")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	rotate(tb, s, r, []shop{
		{"memstore", memstore.New(), "a value into a map", func(data []byte) error { kept["alice"] = data; return nil }},
		{"filestore", filestore.New(filepath.Join(dir, "grants")), "one fsync'd rename", func(data []byte) error { return replace(dir, data) }},
		sqlShop(tb, "sqlstore on SQLite", sqlite, sqlstore.SQLite, `UPDATE bare SET data = ? WHERE id = 1`),
	})
}

// rotationKeyring is rotation on a keyringstore. The keychain is asked once, for
// the key; what is written is a file.
func rotationKeyring(tb testing.TB, s *scale, r *Report) {
	startKeychain(tb)
	dir := tb.TempDir()
	store := keyringstore.New("regrant-bench")
	store.Dir = filepath.Join(dir, "grants")
	rotate(tb, s, r, []shop{
		{"keyringstore", store, "one fsync'd rename", func(data []byte) error { return replace(dir, data) }},
	})
}

// rotationShared is rotation on the stores of many machines.
func rotationShared(tb testing.TB, s *scale, r *Report) {
	postgres := openSQL(tb, "pgx", postgresDSN(lab.StartPostgreSQL(tb).Socket))
	mariadb := openSQL(tb, "mysql", "root@unix("+lab.StartMariaDB(tb)+")/test?interpolateParams=true")
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: lab.StartRedis(tb).Socket})
	tb.Cleanup(func() { _ = rdb.Close() })
	rotate(tb, s, r, []shop{
		sqlShop(tb, "sqlstore on PostgreSQL", postgres, sqlstore.PostgreSQL, `UPDATE bare SET data = $1 WHERE id = 1`),
		sqlShop(tb, "sqlstore on MariaDB", mariadb, sqlstore.MySQL, `UPDATE bare SET data = ? WHERE id = 1`),
		{"redisstore", redisstore.New(rdb), "one SET", func(data []byte) error { return rdb.Set(tb.Context(), "bare", data, 0).Err() }},
	})
}

func rotate(tb testing.TB, s *scale, r *Report, shops []shop) {
	tb.Helper()
	for _, shop := range shops {
		c := &counter{Store: shop.store}
		store := tokenstore.Store(c)
		sealer := newSealer(tb, newKey())
		if l, ok := shop.store.(tokenstore.Locker); ok {
			store = &lockingCounter{c, l}
		}
		if _, ok := shop.store.(tokenstore.Protected); ok {
			store, sealer = protectedCounter{store.(*lockingCounter)}, nil
		}
		me := newClient(tb, store, endpoint{time.Hour, tokenLength}, func(cfg *client.Config) { cfg.Sealer = sealer }).Account("alice")
		logIn(tb, me, static(tokenLength))
		data := make([]byte, c.size.Load())
		_, _ = rand.Read(data)
		loads, saves := c.loads.Load(), c.saves.Load()
		renewals := int64(0)
		t := interleave(tb, &scale{rounds: max(1, s.rounds/20), slice: s.slice * 5}, 1, []contender{
			{shop.name, func() error {
				renewals++
				_, err := me.Refresh(tb.Context(), nil)
				return err
			}},
			{shop.floor, func() error {
				data[0]++ // no two are alike, as no two records are
				return shop.write(data)
			}},
		})
		each := func(n int64) float64 { return float64(n) / float64(renewals) }
		loads, saves = c.loads.Load()-loads, c.saves.Load()-saves
		r.row(shop.name, Figure{"rotation", t.of(0) / 1000, "µs"}, Figure{"bare write", t.of(1) / 1000, "µs"}, Figure{"ratio", t.ratio(0, 1), "×"},
			Figure{"loads", each(loads), ""}, Figure{"saves", each(saves), ""}, Figure{"record", float64(len(data)), "B"})
		r.atMost(shop.name+": store operations per rotation", each(loads+saves), 3, "")
		r.notef("the bare write of %s: %s", shop.name, shop.floor)
	}
}

// replace is what a file that survives a crash costs at least: a temporary file,
// written to the disk, in the place of the old one.
func replace(dir string, data []byte) error {
	f, err := os.CreateTemp(dir, "floor")
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, "floor"))
}

func postgresDSN(socket string) string {
	return "user=postgres dbname=postgres sslmode=disable host=" + filepath.Dir(socket)
}

func openSQL(tb testing.TB, driver, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// sqlShop is a table, beside another whose one row is updated.
func sqlShop(tb testing.TB, name string, db *sql.DB, d sqlstore.Dialect, update string) shop {
	tb.Helper()
	s := sqlstore.New(db, d)
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	kind := "BLOB"
	if d == sqlstore.PostgreSQL {
		kind = "BYTEA"
	}
	for _, statement := range []string{`CREATE TABLE bare (id INTEGER PRIMARY KEY, data ` + kind + `)`, `INSERT INTO bare (id) VALUES (1)`} {
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatal(err)
		}
	}
	return shop{name, s, "one UPDATE of one row by its primary key", func(data []byte) error {
		_, err := db.ExecContext(tb.Context(), update, data)
		return err
	}}
}
