package sqlstores_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// Field cases: failures of other programs that were reported in public.
// internal/docs/field-cases.md has the list. PostgreSQL and MariaDB are put to the
// same proofs where they are started.

func TestFieldCase_hickford_git_credential_oauth_106_WhatTheServerGaveComesBackWhole(t *testing.T) {
	t.Parallel()
	startSQLite(t).keepsWhole(t)
}

func TestFieldCase_AzureAD_microsoft_authentication_library_for_go_423_ARowOfAnEarlierVersionIsRead(t *testing.T) {
	t.Parallel()
	startSQLite(t).goldenRow(t)
}

func (d *database) keepsWhole(t *testing.T) {
	fleet.KeepsWhole(t, openPlace, d.newTable(t).String(), 64<<10)
}

// goldenTables is the table as version 1 has made it: databases of users have it.
var goldenTables = map[sqlstore.Dialect]string{
	sqlstore.PostgreSQL: `CREATE TABLE golden (id bytea NOT NULL PRIMARY KEY, issuer text COLLATE "C" NOT NULL, client_id text COLLATE "C" NOT NULL,
		account text COLLATE "C" NOT NULL, version text COLLATE "C" NOT NULL, updated_at timestamptz NOT NULL, data bytea NOT NULL)`,
	sqlstore.MySQL: `CREATE TABLE golden (id VARBINARY(48) NOT NULL PRIMARY KEY, issuer VARBINARY(4096) NOT NULL, client_id VARBINARY(4096) NOT NULL,
		account VARBINARY(4096) NOT NULL, version VARBINARY(64) NOT NULL, updated_at DATETIME(6) NOT NULL, data LONGBLOB NOT NULL) ENGINE = InnoDB`,
	sqlstore.SQLite: `CREATE TABLE golden (id BLOB NOT NULL PRIMARY KEY, issuer TEXT NOT NULL, client_id TEXT NOT NULL,
		account TEXT NOT NULL, version TEXT NOT NULL, updated_at TEXT NOT NULL, data BLOB NOT NULL) STRICT`,
}

const (
	goldenID    = "ffb55acfff1cbc1b" + "10e08a419e850eba" + "d3687f4f243b8409819e4c7b97c492bbc7968f01ca2da07f2d18da493e7cfff2"
	goldenTexts = ` 'https://issuer.example', 'backend', 'alice', '56WMLQD2QJ2UKQVLDJMPOUE7RS', '2026-11-26 01:02:03.456', `
)

// goldenRow fails if the table, or what stands in it, changes: then Migrate has to
// change what there is.
func (d *database) goldenRow(t *testing.T) {
	p := d.at("golden")
	p.exec(t, goldenTables[d.dialect])
	binary := func(content string) string {
		if d.dialect == sqlstore.PostgreSQL {
			return `'\x` + content + `'`
		}
		return "x'" + content + "'"
	}
	const sealed = "\x00a sealed record\xff"
	p.exec(t, "INSERT INTO golden (id, issuer, client_id, account, version, updated_at, data) VALUES ("+
		binary(goldenID)+","+goldenTexts+binary(hex.EncodeToString([]byte(sealed)))+")")

	s := p.store(t)
	if err := s.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	data, v, err := s.Load(t.Context(), key)
	if string(data) != sealed || v != "56WMLQD2QJ2UKQVLDJMPOUE7RS" || err != nil {
		t.Errorf("Load returned %q, version %q, %v", data, v, err)
	}
	fleet.Lists(t, s, key)
	large := strings.Repeat("a larger record", 1<<10)
	if _, err := s.Save(t.Context(), key, []byte(large), v); err != nil {
		t.Error(err)
	}
	if data, _, err := s.Load(t.Context(), key); string(data) != large || err != nil {
		t.Errorf("then Load returned %d bytes, %v", len(data), err)
	}
}
