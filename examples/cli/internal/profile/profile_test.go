package profile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/regrant/regrant/examples/cli/internal/profile"
)

// open returns the directory of a user who has none yet, and where it will be.
func open(t *testing.T) (profile.Dir, string) {
	t.Helper()
	base := t.TempDir()
	d, err := profile.Open(func(name string) string { return map[string]string{"XDG_CONFIG_HOME": base}[name] })
	if err != nil {
		t.Fatal(err)
	}
	return d, filepath.Join(base, "regrant", "profiles")
}

func TestAProfileComesBackAsItWasSaved(t *testing.T) {
	d, path := open(t)
	want := profile.Profile{
		Name: "work", Issuer: "https://login.example.com", ClientID: "my-cli", Scopes: []string{"openid", "a"}, Store: profile.File,
		Path: "/some where", Params: map[string]string{"access_type": "offline"}, ClientSecret: profile.SecretRef{Env: "SECRET"},
		Endpoint: profile.Endpoint{Token: "https://login.example.com/token"}, RedirectURL: "http://127.0.0.1:1/cb", PassphraseFile: "/p",
	}
	for range 2 { // the second replaces the first
		if err := d.Save(want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.Load("work")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if names, err := d.List(); err != nil || !reflect.DeepEqual(names, []string{"work"}) {
		t.Errorf("%q, %v", names, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v is in the directory (%v)", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := d.Load("other"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestASlipOfThePenInAProfileIsSaid(t *testing.T) {
	d, path := open(t)
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	const good = "issuer = 'https://login.example.com'\nclient-id = 'x'\nstore = 'file'\n"
	for text, says := range map[string]string{
		good + "scope = ['a']":                      "scope",
		good + "[client-secret]\nvalue = 'hunter2'": "client-secret.value",
		good + "[client-secret]\nenv='A'\nfile='b'": "more than one place",
		"issuer = 'x'\nstore = 'file'":              "client-id",
		"client-id = 'x'\nstore = 'file'":           "issuer",
		strings.Replace(good, "file", "cloud", 1):   `"cloud"`,
		"issuer = ": "line 1",
	} {
		if err := os.WriteFile(filepath.Join(path, "p.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Load("p"); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, name := range []string{"", "../up", "a/b", ".hidden", "a b", strings.Repeat("x", 65), "new\nline"} {
		if _, err := d.Load(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the name %q: %v", name, err)
		}
	}
}
