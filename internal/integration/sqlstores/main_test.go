// Package sqlstores_test proves sqlstore on real databases: PostgreSQL and MariaDB
// as servers of their own, SQLite as a file.
package sqlstores_test

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/regrant/regrant/internal/integration/crash"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

func TestMain(m *testing.M) {
	programs := fleet.Programs(openPlace)
	programs[migrator] = migrate
	_ = mysql.SetLogger(&mysql.NopLogger{}) // it tells of every cut connection
	_ = flag.Set("test.parallel", "100")    // unless the command line says otherwise: they wait for leases
	lab.Main(m, programs)
}

// A place is a table of a database, as a process is told of it.
type place struct {
	Dialect sqlstore.Dialect `json:"dialect"`
	DSN     string           `json:"dsn"`
	Table   string           `json:"table"`
}

var drivers = map[sqlstore.Dialect]string{sqlstore.PostgreSQL: "pgx", sqlstore.MySQL: "mysql", sqlstore.SQLite: "sqlite"}

// open returns a store with a pool of its own.
func (p place) open() (*sqlstore.Store, *sql.DB, error) {
	db, err := sql.Open(drivers[p.Dialect], p.DSN)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(4) // each of many processes has a pool
	s := sqlstore.New(db, p.Dialect)
	s.Table = p.Table
	return s, db, nil
}

// store is open for a test.
func (p place) store(t testing.TB) *sqlstore.Store {
	t.Helper()
	s, db, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return s
}

// String is how the place is told to a process.
func (p place) String() string {
	text, _ := json.Marshal(p)
	return string(text)
}

func openPlace(text string) (tokenstore.Store, error) {
	var p place
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, err
	}
	s, _, err := p.open()
	return s, err
}

// A database is one that runs, and holds the tables of many tests.
type database struct {
	dialect sqlstore.Dialect
	network string // how it is reached; "" if by a file
	address string
	dsn     func(network, address string, options ...string) string
}

// at returns the place of a table in it. options are those of the driver, as
// NAME=VALUE.
func (d *database) at(table string, options ...string) place {
	return place{d.dialect, d.dsn(d.network, d.address, options...), table}
}

// newTable returns a table that is there, with a name that nobody else uses.
func (d *database) newTable(t testing.TB, options ...string) place {
	t.Helper()
	p := d.at("grants_"+strings.ToLower(rand.Text()), options...)
	if err := p.store(t).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

// through returns a table, also behind a proxy.
func (d *database) through(t *testing.T) fleet.Link {
	direct, proxy := d.newTable(t), lab.NewProxy(t, d.network, d.address)
	behind := *d
	behind.network, behind.address = "tcp", proxy.Addr
	return fleet.Link{Place: direct.String(), Store: behind.at(direct.Table).store(t), Proxy: proxy}
}

func (d *database) survivesCuts(t *testing.T) { fleet.SurvivesCuts(t, openPlace, d.through, false) }

// exec runs a statement of the test's own.
func (p place) exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	_, db, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func startPostgreSQL(t testing.TB) *database {
	dsn := func(network, address string, options ...string) string {
		host, port := filepath.Dir(address), "5432"
		if network == "tcp" {
			host, port, _ = net.SplitHostPort(address)
		}
		return strings.Join(append([]string{"user=postgres", "dbname=postgres", "sslmode=disable", "host=" + host, "port=" + port}, options...), " ")
	}
	return &database{sqlstore.PostgreSQL, "unix", lab.StartPostgreSQL(t).Socket, dsn}
}

func startMariaDB(t testing.TB) *database {
	dsn := func(network, address string, options ...string) string {
		return fmt.Sprintf("root@%s(%s)/test?%s", network, address, strings.Join(options, "&"))
	}
	return &database{sqlstore.MySQL, "unix", lab.StartMariaDB(t), dsn}
}

func startSQLite(t testing.TB) *database { return sqliteIn(t.TempDir()) }

func sqliteIn(dir string) *database {
	dsn := func(_, file string, options ...string) string {
		if len(options) == 0 {
			options = []string{"_pragma=journal_mode(WAL)"}
		}
		return "file:" + file + "?" + strings.Join(append([]string{"_pragma=busy_timeout(10000)"}, options...), "&")
	}
	return &database{sqlstore.SQLite, "", filepath.Join(dir, "grants.db"), dsn}
}

// All tests of a database are under its name, so that it is started once.

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	d := startPostgreSQL(t)
	d.keepsItsPromises(t)
	t.Run("the contract is kept through a pooler without prepared statements", func(t *testing.T) {
		d.contract(t, d.newTable(t, "default_query_exec_mode=simple_protocol"))
	})
	t.Run("a connection that is cut in a save loses nothing", d.survivesCuts)
}

func TestMariaDB(t *testing.T) {
	t.Parallel()
	d := startMariaDB(t)
	d.keepsItsPromises(t)
	t.Run("the contract is kept when found rows are counted", func(t *testing.T) {
		d.contract(t, d.newTable(t, "clientFoundRows=true", "interpolateParams=true"))
	})
	t.Run("a connection that is cut in a save loses nothing", d.survivesCuts)
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	d := startSQLite(t)
	d.keepsItsPromises(t)
	t.Run("the contract is kept without a write-ahead log", func(t *testing.T) {
		d := startSQLite(t)
		d.contract(t, d.newTable(t, "_pragma=journal_mode(DELETE)"))
	})
}

// store is put to the proof of processes that die. Many share a server, but few a
// file, which knows one writer at a time.
func (d *database) store() crash.Store {
	return crash.Store{Open: openPlace, Place: func(t testing.TB) string {
		if d.dialect == sqlstore.SQLite {
			return startSQLite(t).newTable(t).String()
		}
		return d.newTable(t).String()
	}}
}

// keepsItsPromises runs the tests that are the same for all databases.
func (d *database) keepsItsPromises(t *testing.T) {
	t.Run("the contract is kept", func(t *testing.T) { d.contract(t, d.newTable(t)) })
	t.Run("what the server gave comes back whole", d.keepsWhole)
	t.Run("a row that an earlier version wrote is read", d.goldenRow)
	t.Run("eight processes migrate at once", d.migrateAtOnce)
	t.Run("a missing table is an error that says what to do", d.missingTable)
	t.Run("a table of another kind stays as it is", d.foreignTable)
	t.Run("any table name does", d.tableNames)
	t.Run("no data is data", d.noData)
	t.Run("a key that does not fit is an error", d.longKey)
	t.Run("a row that was changed by hand is told", d.changedRow)
	t.Run("a row tells when it was written", d.writtenAt)
	t.Run("a pool of one connection is enough", d.oneConnection)
	t.Run("twenty thousand rows are listed in pages", d.manyRows)
	t.Run("how long Load and Save take", func(t *testing.T) { fleet.HowLong(t, d.newTable(t).store(t)) })
	t.Run("twenty processes survive every expiry", func(t *testing.T) {
		fleet.SurvivesEveryExpiry(t, openPlace, d.newTable(t).String())
	})
	t.Run("a holder that is stopped past its lease logs nobody out", func(t *testing.T) {
		t.Parallel()
		d.store().SurvivesAStoppedHolder(t)
	})
	t.Run("killing the holder costs no login at a server with a grace period", func(t *testing.T) {
		t.Parallel()
		d.store().SurvivesKills(t)
	})
	t.Run("nothing but its answer and its save is between a commit and its record", d.store().NothingElseIsInTheWindow)
	t.Run("killing the holder loses a grant only with its answer", func(t *testing.T) {
		t.Parallel()
		d.store().LosesOnlyTheUnavoidable(t)
	})
	t.Run("a holder that is stopped past its lease loses no more than the server takes", func(t *testing.T) {
		t.Parallel()
		fleet.TellsOfAStoppedHolder(t, openPlace, func() string { return d.newTable(t).String() })
	})
}
