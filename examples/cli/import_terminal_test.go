//go:build unix

package main

import (
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestAnImportTellsAPersonWhatToDoAboutTheSource(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	grant := s.Grant("alice")
	h.write("token.json", encode(t, map[string]any{
		"access_token": grant.AccessToken, "refresh_token": grant.RefreshToken, "id_token": grant.Extra("id_token"), "expires_in": 300,
	}))
	x := h.open(140, 24, "import", "token.json", "--store", "file")
	if code := x.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	x.Golden("import")
	x = h.open(140, 24, "import", "token.json", "--store", "file")
	if code := x.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	x.See("nothing was imported")
}
