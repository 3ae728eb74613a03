// Package webfleet_test runs a web backend on four machines, each a process of its
// own, for many users: they log in through a front that sends every request to
// another process, and jobs call an API for them through one expiry after the
// other, while processes are killed and the database restarts.
package webfleet_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/redisstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

func TestMain(m *testing.M) {
	logging.Disable() // it tells of every connection that a restart has cut
	lab.Main(m, map[string]lab.Program{program: backend})
}

// A scale is how much of it there is.
type scale struct {
	users    int
	expiries int
	lifetime time.Duration // of access tokens, as clients are told
	kills    int
}

// usersVariable says how many users there are. A thousand and more make it the whole
// run, of ten expiries.
const usersVariable = "REGRANT_TEST_USERS"

func newScale(t testing.TB) scale {
	t.Helper()
	s := scale{users: 60, expiries: 3, lifetime: 3 * time.Second, kills: 4}
	text := os.Getenv(usersVariable)
	if text == "" {
		return s
	}
	var err error
	if s.users, err = strconv.Atoi(text); err != nil || s.users < 1 {
		t.Fatalf("%s is %q: it is a number of users", usersVariable, text)
	}
	if s.users >= 1000 {
		s.expiries, s.kills = 10, 20
		s.lifetime = time.Duration(s.users/80) * time.Second
	}
	return s
}

// A database is one that all processes use, and that can restart.
type database struct {
	place   place
	restart func()
}

// A place is how a process is told of the database: one of them.
type place struct {
	PostgreSQL string // a directory with a socket
	Redis      string // a socket
}

func (p place) open() (tokenstore.Store, error) {
	if p.Redis != "" {
		return redisstore.New(redis.NewClient(&redis.Options{Network: "unix", Addr: p.Redis})), nil
	}
	db, err := sql.Open("pgx", fmt.Sprintf("user=postgres dbname=postgres sslmode=disable host=%s", p.PostgreSQL))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	return sqlstore.New(db, sqlstore.PostgreSQL), nil
}

// databases are those that machines can share.
var databases = map[string]func(*testing.T) database{
	"PostgreSQL": func(t *testing.T) database {
		t.Helper()
		pg := lab.StartPostgreSQL(t)
		p := place{PostgreSQL: filepath.Dir(pg.Socket)}
		store, err := p.open()
		if err != nil {
			t.Fatal(err)
		}
		if err := store.(*sqlstore.Store).Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return database{p, func() { pg.Kill(); pg.Start() }}
	},
	"Redis": func(t *testing.T) database {
		t.Helper()
		r := lab.StartRedis(t)
		return database{place{Redis: r.Socket}, func() { r.Kill(); r.Start() }}
	},
}
