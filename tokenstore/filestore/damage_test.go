package filestore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// pathOf returns where the record of a key lies.
func pathOf(dir string, k tokenstore.Key) string {
	sum := sha256.Sum256([]byte(k.String()))
	return filepath.Join(dir, hex.EncodeToString(sum[:])+".grant")
}

// golden is the file of key("me") as version 1 of the format has it.
const golden = "regrant-filestore 1 30702fdc19649b2270c0f631fb58aa68f539c5a76800625d7fd00cfb05f6cc88\n" +
	`{"issuer":"https://issuer.example","client_id":"cli","account":"me","version":"56WMLQD2QJ2UKQVLDJMPOUE7RS"}` + "\n" +
	"first line\nsecond line"

// It fails if the format, or the name of a file, changes: then the format needs a new
// number, and the old one must go on being read.
func TestFieldCase_AzureAD_microsoft_authentication_library_for_go_423_WhatEarlierVersionsWroteIsRead(t *testing.T) {
	k := key("me")
	dir := filepath.Join(t.TempDir(), "grants")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(dir, "bd564a956ac84762356dba9fe4d6df9995de0f7210a2cfb6b50ce5ad01528c31.grant"), []byte(golden))
	s := filestore.New(dir)
	holds(t, s, k, "first line\nsecond line")
	save(t, s, k, "new", "56WMLQD2QJ2UKQVLDJMPOUE7RS")
}

// kept returns a directory with one record, and what its file holds.
func kept(t testing.TB, k tokenstore.Key) (dir string, content []byte) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "grants")
	save(t, filestore.New(dir), k, "first line\nsecond line", "")
	content, err := os.ReadFile(pathOf(dir, k))
	if err != nil {
		t.Fatal(err)
	}
	return dir, content
}

func overwrite(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAnUnreadableFileSaysWhyAndStaysAsItIs(t *testing.T) {
	k := key("me")
	_, good := kept(t, k)
	_, other := kept(t, key("you"))
	edit := func(old, changed string) []byte {
		edited := bytes.Replace(good, []byte(old), []byte(changed), 1)
		if bytes.Equal(edited, good) {
			t.Fatalf("%q is not in the file", old)
		}
		return edited
	}
	for name, c := range map[string]struct {
		content []byte
		why     string
	}{
		"empty":            {nil, "it is empty"},
		"of zeros":         {make([]byte, len(good)), "not a file of this store"},
		"foreign":          {[]byte(`{"refresh_token":"secret"}`), "not a file of this store"},
		"without its head": {good[10:], "not a file of this store"},
		"newer":            {edit("regrant-filestore 1", "regrant-filestore 2"), `format "2"`},
		"cut short":        {good[:len(good)-1], "damaged or cut short"},
		"head alone":       {good[:len("regrant-filestore 1 ")], "damaged or cut short"},
		"longer":           {append(bytes.Clone(good), '\n'), "damaged or cut short"},
		"edited":           {edit("second line", "Second line"), "damaged or cut short"},
		"version edited":   {edit(`"version":"`, `"version":"X`), "damaged or cut short"},
		"account edited":   {edit(`"account":"me"`, `"account":"us"`), "another grant"},
		"of another key":   {other, "another grant"},
		"huge":             {append(bytes.Clone(good), make([]byte, 5<<20)...), "damaged or cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := kept(t, k)
			overwrite(t, pathOf(dir, k), c.content)
			s := filestore.New(dir)
			data, v, err := s.Load(t.Context(), k)
			if data != nil || v == "" || !errors.Is(err, tokenstore.ErrUnreadable) || errors.Is(err, tokenstore.ErrNotFound) {
				t.Fatalf("Load returned %.60q, version %q, %v", data, v, err)
			}
			if !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), pathOf(dir, k)) {
				t.Errorf("the error does not say %q and where: %v", c.why, err)
			}
			for _, old := range []tokenstore.Version{"", "another"} {
				if _, err := s.Save(t.Context(), k, []byte("new"), old); !errors.Is(err, tokenstore.ErrConflict) {
					t.Errorf("Save with version %q: %v", old, err)
				}
				if err := s.Delete(t.Context(), k, old); !errors.Is(err, tokenstore.ErrConflict) {
					t.Errorf("Delete with version %q: %v", old, err)
				}
			}
			if after, err := os.ReadFile(pathOf(dir, k)); err != nil || !bytes.Equal(after, c.content) {
				t.Fatalf("the file was changed: %v", err)
			}
		})
	}
}

func TestWhoMeansToCanDeleteOrReplaceAnUnreadableFile(t *testing.T) {
	k := key("me")
	dir, content := kept(t, k)
	s := filestore.New(dir)
	spoil := func() tokenstore.Version {
		overwrite(t, pathOf(dir, k), content[:len(content)/2])
		_, v, _ := s.Load(t.Context(), k)
		return v
	}
	if err := s.Delete(t.Context(), k, spoil()); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if _, _, err := s.Load(t.Context(), k); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("after Delete: %v", err)
	}
	save(t, s, k, "new", spoil())
	holds(t, s, k, "new")
}

func TestAFilePutBackIsReadAgain(t *testing.T) {
	k := key("me")
	dir, content := kept(t, k)
	overwrite(t, pathOf(dir, k), content[:10])
	overwrite(t, pathOf(dir, k), content)
	holds(t, filestore.New(dir), k, "first line\nsecond line")
}

func TestListTellsOfUnreadableFilesAndGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	s := filestore.New(dir)
	for _, account := range []string{"good", "torn", "gone"} {
		save(t, s, key(account), "first line\nsecond line", "")
	}
	torn, err := os.ReadFile(pathOf(dir, key("torn")))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, pathOf(dir, key("torn")), torn[:len(torn)-3]) // its key can still be read
	overwrite(t, pathOf(dir, key("gone")), torn[:10])          // and of this one it cannot
	var seen []string
	for k, err := range s.List(t.Context(), tokenstore.Key{ClientID: "cli"}) {
		switch {
		case err == nil && k == key("good"):
			seen = append(seen, "good")
		case errors.Is(err, tokenstore.ErrUnreadable) && k == key("torn"):
			seen = append(seen, "torn")
		case errors.Is(err, tokenstore.ErrUnreadable) && k == tokenstore.Key{}:
			if len(seen) != 2 {
				t.Errorf("the error without a key comes after %v", seen)
			}
			seen = append(seen, "gone")
		default:
			t.Errorf("List yielded %v, %v", k, err)
		}
	}
	if len(seen) != 3 {
		t.Errorf("List yielded %v", seen)
	}
}
