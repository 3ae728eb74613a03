package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// What a database does is tested on real ones, in internal/integration. Here is
// what never gets so far.

var key = tokenstore.Key{Issuer: "https://issuer.example", ClientID: "backend", Account: "alice"}

// calls returns what each method returns.
func calls(ctx context.Context, s *sqlstore.Store) map[string]error {
	all := map[string]error{"Migrate": s.Migrate(ctx), "Delete": s.Delete(ctx, key, "version")}
	_, _, all["Load"] = s.Load(ctx, key)
	_, all["creating Save"] = s.Save(ctx, key, []byte("data"), "")
	_, all["Save"] = s.Save(ctx, key, []byte("data"), "version")
	for _, err := range s.List(ctx, tokenstore.Key{}) {
		all["List"] = err
	}
	return all
}

func TestWhatIsWrongWithAStoreIsAnErrorBeforeTheDatabaseIsAsked(t *testing.T) {
	var none down
	db := sql.OpenDB(&none)
	defer db.Close()
	for _, c := range []struct {
		what    string
		db      *sql.DB
		dialect sqlstore.Dialect
		table   string
		says    string
	}{
		{"no database", nil, sqlstore.PostgreSQL, "", "open the database before New"},
		{"no dialect", db, 0, "", "choose PostgreSQL, MySQL or SQLite"},
		{"an unknown dialect", db, 99, "", "choose PostgreSQL, MySQL or SQLite"},
		{"a quote", db, sqlstore.PostgreSQL, `a"b`, "Table is"},
		{"a backquote", db, sqlstore.MySQL, "a`b", "Table is"},
		{"a statement", db, sqlstore.SQLite, "grants; DROP TABLE users", "Table is"},
		{"a comment", db, sqlstore.SQLite, "grants--", "Table is"},
		{"a placeholder", db, sqlstore.SQLite, "grants?", "Table is"},
		{"a line", db, sqlstore.SQLite, "grants\n", "Table is"},
		{"a digit first", db, sqlstore.PostgreSQL, "1grants", "Table is"},
		{"two dots", db, sqlstore.PostgreSQL, "a.b.c", "Table is"},
		{"no table after the schema", db, sqlstore.PostgreSQL, "a.", "Table is"},
		{"no schema before the table", db, sqlstore.PostgreSQL, ".a", "Table is"},
		{"another script", db, sqlstore.PostgreSQL, "größe", "Table is"},
		{"a name that PostgreSQL cuts", db, sqlstore.PostgreSQL, strings.Repeat("g", 64), "Table is"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := sqlstore.New(c.db, c.dialect)
			s.Table = c.table
			for method, err := range calls(t.Context(), s) {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s returned %v", method, err)
				}
			}
		})
	}
	if none.asked > 0 {
		t.Errorf("the database was asked %d times", none.asked)
	}
}

var errDown = errors.New("connection refused")

// down is a database that nobody reaches.
type down struct{ asked int }

func (d *down) Driver() driver.Driver { return nil }
func (d *down) Connect(context.Context) (driver.Conn, error) {
	d.asked++
	return nil, errDown
}

func TestADatabaseThatIsDownIsNeitherAbsentNorInConflict(t *testing.T) {
	db := sql.OpenDB(&down{})
	defer db.Close()
	for method, err := range calls(t.Context(), sqlstore.New(db, sqlstore.PostgreSQL)) {
		if !errors.Is(err, errDown) || !strings.Contains(err.Error(), "regrant_grants") {
			t.Errorf("%s returned %v", method, err)
		}
		for _, other := range []error{tokenstore.ErrNotFound, tokenstore.ErrConflict, tokenstore.ErrUnavailable, tokenstore.ErrUnreadable} {
			if errors.Is(err, other) {
				t.Errorf("%s returned %v, which says %v", method, err, other)
			}
		}
	}
}

// A driver may answer the end of a context with an error of its own.
func TestTheEndOfAContextIsToldWhateverTheDriverSays(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	db := sql.OpenDB(deaf{cancel})
	defer db.Close()
	_, _, err := sqlstore.New(db, sqlstore.PostgreSQL).Load(ctx, key)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errDown) {
		t.Errorf("Load returned %v", err)
	}
}

// deaf is a database whose caller gives up while it waits for it.
type deaf struct{ giveUp func() }

func (d deaf) Driver() driver.Driver { return nil }
func (d deaf) Connect(context.Context) (driver.Conn, error) {
	d.giveUp()
	return nil, errDown
}
