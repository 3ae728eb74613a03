package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/redisstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// stores are where grants lie: those of sign-ins, named by the sub that a server
// says, apart from those of connections, whose names are made here. So no server
// can name a user like somebody's connection.
type stores struct {
	signIns, connections tokenstore.Store
	sealer               tokenstore.Sealer
	close                func() error
}

const (
	signInsTable     = "regrant_web_sign_ins"
	connectionsTable = "regrant_web_connections"
)

func openStores(ctx context.Context, o *options, log *slog.Logger) (_ *stores, err error) {
	dir, remove, err := dataDir(o)
	if err != nil {
		return nil, err
	}
	s := &stores{close: func() error { return nil }}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(), remove())
		}
	}()
	key, err := readKey(filepath.Join(dir, "key"))
	if err == nil {
		s.sealer, err = tokenstore.NewSealer(key)
	}
	if err != nil {
		return nil, err
	}
	switch o.store {
	case "redis":
		err = s.openRedis(ctx, log)
	case "postgresql":
		err = s.openSQL(ctx, "pgx", os.Getenv("DATABASE_URL"), sqlstore.PostgreSQL)
	default:
		file := filepath.ToSlash(filepath.Join(dir, "grants.db"))
		err = s.openSQL(ctx, "sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)", sqlstore.SQLite)
	}
	closeAll := s.close
	s.close = func() error { return errors.Join(closeAll(), remove()) }
	return s, err
}

// dataDir returns the directory of the key and of the SQLite file. The grants of
// our own servers are worth nothing once the program has ended.
func dataDir(o *options) (dir string, remove func() error, err error) {
	keep := func() error { return nil }
	switch {
	case o.data != "":
		dir = o.data
	case o.issuer == "":
		dir, err = os.MkdirTemp("", "regrant-web-")
		return dir, func() error { return os.RemoveAll(dir) }, err //nolint:gosec // it was made here
	default:
		if dir, err = os.UserConfigDir(); err != nil {
			return "", keep, fmt.Errorf("%w: say where with -data", err)
		}
		dir = filepath.Join(dir, "regrant-web")
	}
	return dir, keep, os.MkdirAll(dir, 0o700) //nolint:gosec // the user has named it
}

// readKey returns the key that seals grants and cookies. It is made at the first
// start; all machines need the same one.
func readKey(name string) ([]byte, error) {
	key, err := os.ReadFile(name) //nolint:gosec // in a directory that the user has named
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = make([]byte, 32)
	_, _ = rand.Read(key)                                                 // never fails
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // as above
	if err != nil {
		return nil, err
	}
	_, err = f.Write(key)
	return key, errors.Join(err, f.Close())
}

func (s *stores) openSQL(ctx context.Context, driver, dsn string, dialect sqlstore.Dialect) error {
	if dsn == "" {
		return errors.New("-store postgresql: the variable DATABASE_URL is empty: set it to postgres://…")
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return errors.New("-store postgresql: DATABASE_URL is not the address of a database") // the error may quote it, password and all
	}
	s.close = db.Close
	open := func(table string) tokenstore.Store {
		store := sqlstore.New(db, dialect)
		store.Table = table
		err = errors.Join(err, store.Migrate(ctx))
		return store
	}
	s.signIns, s.connections = open(signInsTable), open(connectionsTable)
	return err
}

func (s *stores) openRedis(ctx context.Context, log *slog.Logger) error {
	address, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return errors.New("-store redis: the variable REDIS_URL is not the address of a Redis: set it to redis://…")
	}
	rdb := redis.NewClient(address)
	s.close = rdb.Close
	open := func(prefix string) *redisstore.Store {
		store := redisstore.New(rdb)
		store.Prefix = prefix + ":"
		return store
	}
	signIns := open(signInsTable)
	s.signIns, s.connections = signIns, open(connectionsTable)
	if err := rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("-store redis: %w", err)
	}
	if err := signIns.Check(ctx); err != nil {
		log.Warn("this Redis may forget users when it crashes", "problem", err)
	}
	return nil
}
