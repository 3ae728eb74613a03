package sqlstore

import (
	_ "embed" // the schemas
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Dialect is the SQL of a database. The zero Dialect is none, and an error of
// the first use.
type Dialect int

const (
	PostgreSQL Dialect = iota + 1 // PostgreSQL 9.5 and later
	MySQL                         // MySQL 5.7 and MariaDB 10.3, and later
	SQLite                        // SQLite 3.37 and later
)

// defaultTable is the name in the schemas.
const defaultTable = "regrant_grants"

// grammar is what the dialects differ in.
type grammar struct {
	schema       string
	quote        string
	placeholder  func(n int) string
	now          string
	unlessExists string // makes an INSERT affect one row if it has inserted it, else none or two
}

var grammars = map[Dialect]grammar{
	PostgreSQL: {postgresqlSchema, `"`, numbered, `now()`, `ON CONFLICT (id) DO NOTHING`},
	// Not INSERT IGNORE, which ignores other errors, too. And not id = id, which
	// counts as one affected row where the driver sets CLIENT_FOUND_ROWS: a row
	// that is changed counts as two, always.
	MySQL:  {mysqlSchema, "`", plain, `UTC_TIMESTAMP(6)`, `ON DUPLICATE KEY UPDATE updated_at = updated_at + INTERVAL 1 MICROSECOND`},
	SQLite: {sqliteSchema, `"`, plain, `strftime('%Y-%m-%d %H:%M:%f', 'now')`, `ON CONFLICT (id) DO NOTHING`},
}

var (
	//go:embed postgresql.sql
	postgresqlSchema string
	//go:embed mysql.sql
	mysqlSchema string
	//go:embed sqlite.sql
	sqliteSchema string
)

func numbered(n int) string { return "$" + strconv.Itoa(n) }
func plain(int) string      { return "?" }

// tableName is an identifier that every database takes, with or without a schema
// before it. PostgreSQL cuts longer ones.
var tableName = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,62}$`)

func (s *Store) table() string {
	if s.Table == "" {
		return defaultTable
	}
	return s.Table
}

// grammar returns the grammar of the dialect, or says what is wrong with the
// Store.
func (s *Store) grammar() (grammar, error) {
	g, known := grammars[s.dialect]
	switch {
	case s.db == nil:
		return g, errors.New("sqlstore: the *sql.DB is nil: open the database before New")
	case !known:
		return g, errors.New("sqlstore: there is no such Dialect: choose PostgreSQL, MySQL or SQLite")
	case !tableName.MatchString(s.table()):
		return g, fmt.Errorf("sqlstore: Table is %.100q: use letters, digits and underscores, up to 63, with a schema and a dot before them if need be", s.Table)
	}
	return g, nil
}

// statement returns a statement in the dialect. It is written when it is first used.
func (s *Store) statement(text string) (string, error) {
	if known, ok := s.statements.Load(text); ok {
		return known.(string), nil
	}
	g, err := s.grammar()
	if err != nil {
		return "", err
	}
	whole := strings.NewReplacer("{table}", g.quoted(s.table()), "{now}", g.now, "{unless exists}", g.unlessExists).Replace(text)
	parts := strings.Split(whole, "?")
	var b strings.Builder
	b.WriteString(parts[0])
	for i, part := range parts[1:] {
		b.WriteString(g.placeholder(i + 1))
		b.WriteString(part)
	}
	s.statements.Store(text, b.String())
	return b.String(), nil
}

// quoted makes a name that has passed tableName an identifier, be it a reserved
// word.
func (g grammar) quoted(table string) string {
	return g.quote + strings.ReplaceAll(table, ".", g.quote+"."+g.quote) + g.quote
}

// tableMissing tells whether that is what the database complains about. Only the
// text of an error depends on it: there is nothing that all drivers share.
func tableMissing(err error) bool {
	var state interface{ SQLState() string } // of pgx and lib/pq
	if errors.As(err, &state) {
		return state.SQLState() == "42P01"
	}
	text := err.Error()
	return strings.Contains(text, "Error 1146") || strings.Contains(text, "no such table")
}
