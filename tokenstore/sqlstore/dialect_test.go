package sqlstore

import (
	"database/sql"
	"testing"
)

func TestAStatementIsWrittenOnce(t *testing.T) {
	const text = `UPDATE {table} SET version = ?, updated_at = {now} WHERE id = ?`
	s := New(new(sql.DB), PostgreSQL)
	const want = `UPDATE "regrant_grants" SET version = $1, updated_at = now() WHERE id = $2`
	if got, err := s.statement(text); got != want || err != nil {
		t.Errorf("it is %q, %v, want %q", got, err, want)
	}
	allocations := testing.AllocsPerRun(100, func() {
		if got, _ := s.statement(text); got != want {
			t.Errorf("then it is %q", got)
		}
	})
	if allocations > 1 {
		t.Errorf("%v allocations, want one at most", allocations)
	}
}
