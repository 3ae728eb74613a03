package processes_test

import (
	"testing"

	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// Field cases: failures of other programs that were reported in public.
// internal/docs/field-cases.md has the list.

func TestFieldCase_hickford_git_credential_oauth_20_WhatTheServerGaveComesBackWhole(t *testing.T) {
	t.Parallel()
	memory := memstore.New()
	for name, open := range map[string]fleet.Open{
		"memstore":  func(string) (tokenstore.Store, error) { return memory, nil },
		"filestore": open,
	} {
		t.Run(name, func(t *testing.T) { fleet.KeepsWhole(t, open, newDir(t), 64<<10) })
	}
}
