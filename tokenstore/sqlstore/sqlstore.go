// Package sqlstore keeps grants in a table of a SQL database, for any number of
// machines that share it.
//
// It works on [database/sql] with the driver of the program:
//
//	db, err := sql.Open("pgx", dsn) // import _ "github.com/jackc/pgx/v5/stdlib"
//	store := sqlstore.New(db, sqlstore.PostgreSQL)
//	err = store.Migrate(ctx) // creates the table if there is none
//
// It is tested with github.com/jackc/pgx/v5/stdlib on PostgreSQL 15,
// github.com/go-sql-driver/mysql on MariaDB 10.11, and modernc.org/sqlite. A
// pgxpool becomes a *sql.DB by stdlib.OpenDBFromPool.
//
// Every method is one statement with a condition on the version (Delete asks
// once more if that matched nothing). There is no transaction, and no row is
// locked for longer than the statement: on a server, a process that hangs holds
// up nobody.
//
// # The table
//
// [Store.Migrate] creates it. The same as SQL, to be copied into migrations of
// one's own, is in postgresql.sql, mysql.sql and sqlite.sql beside this file. The
// program needs SELECT, INSERT, UPDATE and DELETE on it. The primary key is the
// only index, and serves a million rows.
//
// With go-sql-driver/mysql set interpolateParams=true, as in the example: each
// method is one round trip to the database then, instead of two.
//
// # What the database must do
//
// Load must see the last Save: db leads to the primary, never to a replica, nor
// to a pool that sends reads to one. On a Galera cluster set wsrep_sync_wait=1.
//
// Leave the isolation level at its default. Above it, a Save that comes second
// may get an error of the database instead of ErrConflict. That is safe, but
// looks like a failure.
//
// A commit must survive a crash of the server, since a rotated refresh token
// that is lost may be a new login. That is the default of PostgreSQL
// (synchronous_commit=on), MySQL and MariaDB (innodb_flush_log_at_trx_commit=1)
// and SQLite (synchronous=FULL; in WAL mode NORMAL may lose the last commits at
// a power cut). Where a replica may be promoted, replicate synchronously.
//
// SQLite is for the processes of one host. Let them wait for each other: with
// modernc.org/sqlite, "file:grants.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)".
// Without a busy timeout a Save at the wrong moment fails with "database is
// locked"; a client tries again, but not for ever. A process that is stopped
// (not killed) in the middle of a write keeps all others from writing until it
// goes on.
//
// # No locks
//
// A Store is no [tokenstore.Locker]. What databases offer, advisory locks and
// locked rows, is bound to a connection: it falls free when the connection
// breaks, while its holder lives on, and it stays behind when a pool hands the
// connection to somebody else. The lease that a client writes into the record
// needs neither.
package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/regrant/regrant/tokenstore"
)

// A Store is a table. It implements [tokenstore.Store] and [tokenstore.Lister];
// it is not [tokenstore.Protected]: a client seals what it keeps here. Any number
// of Stores, on any number of machines, may share the table. Make one with [New].
type Store struct {
	// Table is the name of the table; "" means regrant_grants. It may have a
	// schema before it ("auth.grants"). Letters of ASCII, digits and underscores
	// are allowed, up to 63, and upper case is kept: on PostgreSQL, "Grants" is
	// not the table that CREATE TABLE Grants makes. Set it before the first use.
	Table string

	db      *sql.DB
	dialect Dialect

	statements sync.Map // as written in the dialect, by their text
}

var (
	_ tokenstore.Store  = (*Store)(nil)
	_ tokenstore.Lister = (*Store)(nil)
)

// New returns a Store on a table of db. It does not touch the database: what is
// wrong with db, the dialect or the table is an error of the first use. The
// caller closes db when nobody uses the Store any more; a client must be closed
// before.
func New(db *sql.DB, dialect Dialect) *Store { return &Store{db: db, dialect: dialect} }

// Load returns what is kept under key; see [tokenstore.Store].
func (s *Store) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	query, err := s.statement(`SELECT data, version FROM {table} WHERE id = ?`)
	if err != nil {
		return nil, "", err
	}
	var data []byte
	var v tokenstore.Version
	err = s.db.QueryRowContext(ctx, query, id(key)).Scan(&data, &v)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", tokenstore.ErrNotFound
	}
	if err != nil {
		return nil, "", s.failed(ctx, "load from", err)
	}
	return data, v, nil
}

// Save replaces what is kept under key if its version is still old; see
// [tokenstore.Store]. An error other than ErrConflict may come from a connection
// that broke before or after the database committed: load again and look.
func (s *Store) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	if data == nil {
		data = []byte{} // nil would be NULL
	}
	v := tokenstore.Version(rand.Text())
	var done bool
	var err error
	if old == "" {
		done, err = s.create(ctx, key, data, v)
	} else {
		done, err = s.change(ctx, "save to", `UPDATE {table} SET version = ?, updated_at = {now}, data = ? WHERE id = ? AND version = ?`,
			string(v), data, id(key), string(old))
	}
	switch {
	case err != nil:
		return "", err
	case !done:
		return "", tokenstore.ErrConflict
	}
	return v, nil
}

func (s *Store) create(ctx context.Context, key tokenstore.Key, data []byte, v tokenstore.Version) (bool, error) {
	// Some databases cut what does not fit in a column, and say nothing.
	if n := max(len(key.Issuer), len(key.ClientID), len(key.Account)); n > maxField {
		return false, fmt.Errorf("sqlstore: a field of the key has %d bytes: %d is the limit", n, maxField)
	}
	return s.change(ctx, "save to", `INSERT INTO {table} (id, issuer, client_id, account, version, updated_at, data) VALUES (?, ?, ?, ?, ?, {now}, ?) {unless exists}`,
		id(key), key.Issuer, key.ClientID, key.Account, string(v), data)
}

// maxField is what a column holds of a field of the key, in bytes.
const maxField = 4096

// Delete removes what is kept under key if its version is still old; see
// [tokenstore.Store].
func (s *Store) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	done, err := s.change(ctx, "delete from", `DELETE FROM {table} WHERE id = ? AND version = ?`, id(key), string(old))
	if err != nil || done {
		return err
	}
	// Nothing has that version, and nothing ever will again. So it does not
	// matter that something may happen between the two statements.
	switch _, _, err := s.Load(ctx, key); {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return tokenstore.ErrConflict
}

// change reports whether the statement has changed the one row that it is about.
func (s *Store) change(ctx context.Context, doing, statement string, args ...any) (bool, error) {
	query, err := s.statement(statement)
	if err != nil {
		return false, err
	}
	result, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return false, s.failed(ctx, doing, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, s.failed(ctx, doing, err)
	}
	return n == 1, nil
}

// failed says what the store was doing, and with which table. The error of a
// driver need not be that of ctx when ctx has ended.
func (s *Store) failed(ctx context.Context, doing string, err error) error {
	if end := ctx.Err(); end != nil && !errors.Is(err, end) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	if tableMissing(err) {
		err = fmt.Errorf("%w (the table is created by Migrate, or by the SQL file of package sqlstore)", err)
	}
	return fmt.Errorf("sqlstore: cannot %s table %s: %w", doing, s.table(), err)
}
