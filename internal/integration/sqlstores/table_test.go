package sqlstores_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

var key = tokenstore.Key{Issuer: "https://issuer.example", ClientID: "backend", Account: "alice"}

func (d *database) contract(t *testing.T, p place) {
	tokenstoretest.TestStore(t, func(t *testing.T) tokenstore.Store { return p.store(t) })
}

// migrator is a program that creates the tables that it is told.
const migrator = "migrator"

func migrate(child *lab.Child) error {
	var p place
	if err := child.Receive(&p); err != nil {
		return err
	}
	_, db, err := p.open()
	if err != nil {
		return err
	}
	defer db.Close()
	if err := child.Report("up"); err != nil {
		return err
	}
	for child.Receive(&p.Table) == nil {
		s := sqlstore.New(db, p.Dialect)
		s.Table = p.Table
		problem := ""
		if err := s.Migrate(context.Background()); err != nil {
			problem = err.Error()
		}
		if err := child.Report(problem); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) migrateAtOnce(t *testing.T) {
	var all []*lab.Process
	for range 8 {
		all = append(all, lab.Start(t, migrator, d.at("")))
	}
	for _, p := range all {
		p.Receive(new(string))
	}
	for _, table := range []string{"migrated_1", "migrated_2", "migrated_3", "migrated_4", "migrated_5"} {
		for _, p := range all {
			p.Send(table)
		}
		for _, p := range all {
			var problem string
			if p.Receive(&problem); problem != "" {
				t.Errorf("process %d: %s", p.PID(), problem)
			}
		}
		s := d.at(table).store(t)
		if _, err := s.Save(t.Context(), key, []byte("kept"), ""); err != nil {
			t.Error(err)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Error("once more:", err)
		}
		if data, _, err := s.Load(t.Context(), key); string(data) != "kept" {
			t.Errorf("once more: Load returned %q, %v", data, err)
		}
	}
	for _, p := range all {
		p.Close()
	}
}

func (d *database) missingTable(t *testing.T) {
	s := d.at("never_made").store(t)
	_, _, loading := s.Load(t.Context(), key)
	_, creating := s.Save(t.Context(), key, []byte("data"), "")
	_, saving := s.Save(t.Context(), key, []byte("data"), "version")
	deleting := s.Delete(t.Context(), key, "version")
	var listing error
	for _, listing = range s.List(t.Context(), tokenstore.Key{}) {
	}
	for _, err := range []error{loading, creating, saving, deleting, listing} {
		if err == nil || !strings.Contains(err.Error(), "never_made") || !strings.Contains(err.Error(), "Migrate") {
			t.Errorf("it does not say what to do: %v", err)
		}
		if errors.Is(err, tokenstore.ErrNotFound) || errors.Is(err, tokenstore.ErrConflict) || errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("a program would take it for something else: %v", err)
		}
	}
}

func (d *database) foreignTable(t *testing.T) {
	p := d.at("of_somebody")
	p.exec(t, "CREATE TABLE of_somebody (id INTEGER, data INTEGER)")
	p.exec(t, "INSERT INTO of_somebody VALUES (1, 2)")
	if err := p.store(t).Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "choose another Table") {
		t.Errorf("Migrate returned %v", err)
	}
	p.exec(t, "INSERT INTO of_somebody SELECT id, data FROM of_somebody") // as it was
}

func (d *database) tableNames(t *testing.T) {
	schema := map[sqlstore.Dialect]string{sqlstore.PostgreSQL: "auth", sqlstore.MySQL: "auth", sqlstore.SQLite: "main"}[d.dialect]
	if d.dialect != sqlstore.SQLite {
		d.at("").exec(t, "CREATE SCHEMA "+schema)
	}
	names := []string{"", "Grants", "select", "_", strings.Repeat("g", 63), schema + ".grants", schema + ".table"}
	for _, name := range names {
		s := d.at(name).store(t)
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		v, err := s.Save(t.Context(), key, []byte(name), "")
		if err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if v, err = s.Save(t.Context(), key, []byte(name), v); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		for k, err := range s.List(t.Context(), key) {
			if k != key || err != nil {
				t.Errorf("%q: %v, %v", name, k, err)
			}
		}
		if data, _, err := s.Load(t.Context(), key); err != nil || string(data) != name {
			t.Errorf("%q: %q, %v", name, data, err)
		}
		if err := s.Delete(t.Context(), key, v); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func (d *database) noData(t *testing.T) {
	s := d.newTable(t).store(t)
	v, err := s.Save(t.Context(), key, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if v, err = s.Save(t.Context(), key, nil, v); err != nil {
		t.Fatal(err)
	}
	if data, loaded, err := s.Load(t.Context(), key); err != nil || len(data) != 0 || loaded != v {
		t.Errorf("Load returned %q, version %q, error %v", data, loaded, err)
	}
}

func (d *database) longKey(t *testing.T) {
	p := d.newTable(t)
	if d.dialect == sqlstore.MySQL {
		p = d.at(p.Table, "sql_mode=''") // then it would cut what is too long
	}
	s := p.store(t)
	long := tokenstore.Key{
		Issuer: strings.Repeat("é", 2048), ClientID: strings.Repeat("c", 4096), Account: strings.Repeat("\U0001f511", 1024),
	}
	if _, err := s.Save(t.Context(), long, []byte("data"), ""); err != nil {
		t.Error("4096 bytes in each field:", err)
	}
	for listed, err := range s.List(t.Context(), long) {
		if listed != long || err != nil {
			t.Errorf("4096 bytes in each field: listed as something else, error %v", err)
		}
	}
	long.Account += "a"
	if _, err := s.Save(t.Context(), long, []byte("data"), ""); err == nil {
		t.Error("4097 bytes in a field are accepted")
	}
}

func (d *database) changedRow(t *testing.T) {
	p := d.newTable(t)
	s := p.store(t)
	bob := key
	bob.Account = "bob"
	for _, k := range []tokenstore.Key{key, bob} {
		if _, err := s.Save(t.Context(), k, []byte("data"), ""); err != nil {
			t.Fatal(err)
		}
	}
	p.exec(t, "UPDATE "+p.Table+" SET account = 'eve' WHERE account = 'bob'")
	found := map[string]error{}
	for k, err := range s.List(t.Context(), tokenstore.Key{}) {
		found[k.Account] = err
	}
	if err, ok := found["alice"]; !ok || err != nil || len(found) != 2 {
		t.Errorf("List yielded %v", found)
	}
	if err := found["eve"]; !errors.Is(err, tokenstore.ErrUnreadable) {
		t.Errorf("List yielded the changed row with the error %v", err)
	}
}

// writtenAt has a session that is in another time zone than the server.
func (d *database) writtenAt(t *testing.T) {
	p := d.newTable(t)
	var seconds string
	switch d.dialect {
	case sqlstore.PostgreSQL:
		p = d.at(p.Table, "timezone=Asia/Kathmandu")
		seconds = "extract(epoch FROM clock_timestamp() - updated_at)"
	case sqlstore.MySQL:
		p = d.at(p.Table, "time_zone='%2B05:45'")
		seconds = "timestampdiff(SECOND, updated_at, utc_timestamp())"
	case sqlstore.SQLite:
		seconds = "unixepoch('now') - unixepoch(updated_at)"
	}
	s, db, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	v, err := s.Save(t.Context(), key, []byte("data"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, write := range []string{"created", "changed"} {
		var age float64
		if err := db.QueryRow("SELECT " + seconds + " FROM " + p.Table).Scan(&age); err != nil || age < -1 || age > 60 {
			t.Errorf("%s %v s ago, error %v", write, age, err)
		}
		p.exec(t, "UPDATE "+p.Table+" SET updated_at = '2001-02-03 04:05:06'")
		if v, err = s.Save(t.Context(), key, []byte("data"), v); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *database) oneConnection(t *testing.T) {
	s, db, err := d.newTable(t).open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := s.Save(t.Context(), key, []byte("data"), ""); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for k, err := range s.List(ctx, tokenstore.Key{}) {
		if err != nil {
			t.Fatal(err)
		}
		_, v, err := s.Load(ctx, k)
		if err == nil {
			err = s.Delete(ctx, k, v)
		}
		if err != nil {
			t.Error("inside the loop:", err)
		}
	}
}
