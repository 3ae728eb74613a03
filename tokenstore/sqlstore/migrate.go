package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Migrate creates the table if there is none, and makes sure that it is the one
// that this version needs. Call it when the program is deployed or started: any
// number of machines may do so at once. If the table is there, it changes
// nothing, and needs no right to.
//
// A table of that name that is something else is an error, and stays as it is.
func (s *Store) Migrate(ctx context.Context) error {
	g, err := s.grammar()
	if err != nil {
		return err
	}
	if s.check(ctx) == nil {
		return nil
	}
	schema := strings.Replace(g.schema, defaultTable, g.quoted(s.table()), 1)
	_, created := s.db.ExecContext(ctx, schema)
	// IF NOT EXISTS or not, PostgreSQL lets all but one of those who create a
	// table at the same time fail. What counts is that the table is there.
	checked := s.check(ctx)
	switch {
	case checked == nil:
		return nil
	case created != nil:
		return s.failed(ctx, "create", created)
	}
	return fmt.Errorf("%w: it was there before, and is not a table of this store: choose another Table", checked)
}

// check makes sure that the table has the columns.
func (s *Store) check(ctx context.Context) error {
	query, err := s.statement(`SELECT id, issuer, client_id, account, version, updated_at, data FROM {table} WHERE 1 = 0`)
	if err != nil {
		return err
	}
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return s.failed(ctx, "use", err)
	}
	if err := errors.Join(rows.Close(), rows.Err()); err != nil {
		return s.failed(ctx, "use", err)
	}
	return nil
}
