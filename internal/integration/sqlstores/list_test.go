package sqlstores_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// fast are options and a statement that let commits do without the disk.
var fast = map[sqlstore.Dialect]struct{ option, statement string }{
	sqlstore.PostgreSQL: {option: "synchronous_commit=off"},
	sqlstore.MySQL:      {statement: "SET GLOBAL innodb_flush_log_at_trx_commit = 2"},
	sqlstore.SQLite:     {option: "_pragma=synchronous(OFF)"},
}

func (d *database) manyRows(t *testing.T) {
	const (
		issuers  = 10
		clients  = 20 // of each issuer
		accounts = 100
	)
	var options []string
	if o := fast[d.dialect].option; o != "" {
		options = append(options, o)
	}
	p := d.newTable(t, options...)
	if statement := fast[d.dialect].statement; statement != "" {
		p.exec(t, statement)
		defer p.exec(t, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	}
	s := p.store(t)
	began := time.Now()
	var filling sync.WaitGroup
	for worker := range 4 {
		filling.Go(func() {
			for n := worker; n < issuers*clients*accounts; n += 4 {
				k := tokenstore.Key{
					Issuer:   fmt.Sprintf("https://%d.example", n%issuers),
					ClientID: fmt.Sprintf("client %d", n/issuers%clients),
					Account:  fmt.Sprintf("account %d", n/issuers/clients),
				}
				if _, err := s.Save(t.Context(), k, []byte(k.Account), ""); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	filling.Wait()
	t.Logf("%d rows made in %v", issuers*clients*accounts, time.Since(began).Round(time.Millisecond))

	for _, c := range []struct {
		match tokenstore.Key
		want  int
	}{
		{tokenstore.Key{}, issuers * clients * accounts},
		{tokenstore.Key{Issuer: "https://3.example"}, clients * accounts},
		{tokenstore.Key{Issuer: "https://3.example", ClientID: "client 7"}, accounts},
		{tokenstore.Key{Issuer: "https://3.example", ClientID: "client 7", Account: "account 50"}, 1},
		{tokenstore.Key{ClientID: "client 7"}, issuers * accounts},
		{tokenstore.Key{Account: "account 50"}, issuers * clients},
		{tokenstore.Key{Issuer: "https://10.example"}, 0},
	} {
		began := time.Now()
		seen := map[tokenstore.Key]int{}
		for k, err := range s.List(t.Context(), c.match) {
			if err != nil {
				t.Fatal(err)
			}
			if seen[k]++; seen[k] > 1 || !k.Matches(c.match) {
				t.Errorf("%v was yielded for match %+v, for the %d. time", k, c.match, seen[k])
			}
		}
		if len(seen) != c.want {
			t.Errorf("match %+v: %d keys instead of %d", c.match, len(seen), c.want)
		}
		t.Logf("match %+v: %d keys in %v", c.match, len(seen), time.Since(began).Round(100*time.Microsecond))
	}
	d.readsByIndex(t, p)
}

// readsByIndex looks at how the database carries out the statement of a page.
func (d *database) readsByIndex(t *testing.T, p place) {
	t.Helper()
	_, db, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if d.dialect == sqlstore.PostgreSQL {
		p.exec(t, "ANALYZE "+p.Table)
	}

	var statements []string
	watched := sql.OpenDB(watch{db.Driver(), p.DSN, func(query string) { statements = append(statements, query) }})
	defer watched.Close()
	s := sqlstore.New(watched, p.Dialect)
	s.Table = p.Table
	for _, err := range s.List(t.Context(), tokenstore.Key{Issuer: "https://3.example", ClientID: "client 7"}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(statements) != 1 {
		t.Fatalf("a hundred keys took the statements %q", statements)
	}

	explain := map[sqlstore.Dialect]string{sqlstore.SQLite: "EXPLAIN QUERY PLAN "}[d.dialect]
	if explain == "" {
		explain = "EXPLAIN "
	}
	var low []byte // as List would ask: after the first of the client's rows, among 100 others
	if err := db.QueryRow("SELECT id FROM " + p.Table + " ORDER BY id LIMIT 1").Scan(&low); err != nil {
		t.Fatal(err)
	}
	high := slices.Concat(low[:16], bytes.Repeat([]byte{0xff}, 32))
	plan := table(t, db, explain+statements[0], low, high, 500)
	t.Log(plan)
	byIndex := map[sqlstore.Dialect]string{
		sqlstore.PostgreSQL: "Index Scan using",
		sqlstore.MySQL:      "range PRIMARY",
		sqlstore.SQLite:     "USING INDEX",
	}[d.dialect]
	if !strings.Contains(plan, byIndex) || strings.Contains(strings.ToLower(plan), "sort") {
		t.Errorf("the database reads more than the rows of the client, or sorts: %s\n%s", statements[0], plan)
	}
}

// table returns what a query returns as text.
func table(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		cells, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var line []string
		for _, c := range cells {
			line = append(line, c.String)
		}
		lines = append(lines, strings.Join(line, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// watch connects to a database, and sees every statement.
type watch struct {
	driver driver.Driver
	dsn    string
	seen   func(query string)
}

func (w watch) Driver() driver.Driver { return w.driver }

func (w watch) Connect(context.Context) (driver.Conn, error) {
	c, err := w.driver.Open(w.dsn)
	return watched{c, w.seen}, err
}

// watched hides what a connection can do without preparing a statement.
type watched struct {
	driver.Conn
	seen func(query string)
}

func (w watched) Prepare(query string) (driver.Stmt, error) {
	w.seen(query)
	return w.Conn.Prepare(query)
}
