package client_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// grantFile returns the one file that holds a grant.
func grantFile(t *testing.T, dir string) string {
	t.Helper()
	var found []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if data, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil && len(data) > 0 {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	if len(found) != 1 {
		t.Fatalf("files with content: %v, want one", found)
	}
	return found[0]
}

// Whatever has happened to the file, the program hears what is wrong, nobody is
// asked to log in, and the file stays as it is.
func TestAFileThatCannotBeReadIsReportedAndLeftAlone(t *testing.T) {
	as := clienttest.NewServer(t)
	passphrase := func(p string) tokenstore.Sealer {
		s, err := tokenstore.NewPassphraseSealer(p)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	right, wrong := passphrase("correct horse battery staple"), passphrase("incorrect horse")
	start := func(dir string, sealer tokenstore.Sealer) *client.Client {
		cfg := as.Config()
		cfg.Store, cfg.Sealer = filestore.New(dir), sealer
		c, err := client.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	login := func(c *client.Client, account string) {
		t.Helper()
		err := c.Account(account).Login(t.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
			return as.Grant("alice"), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	edit := func(change func([]byte) []byte) func(t *testing.T, file string) {
		return func(t *testing.T, file string) {
			t.Helper()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, change(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, file string)
		sealer tokenstore.Sealer
		says   string
	}{
		{name: "another passphrase", sealer: wrong, says: "passphrase"},
		{name: "cut in the middle", damage: edit(func(b []byte) []byte { return b[:len(b)/2] })},
		{name: "cut at the front", damage: edit(func(b []byte) []byte { return b[10:] })},
		{name: "empty", damage: edit(func([]byte) []byte { return nil })},
		{name: "a flipped bit", damage: edit(func(b []byte) []byte { b[len(b)-5] ^= 1; return b })},
		{name: "something else", damage: edit(func([]byte) []byte { return []byte("{}\n") })},
		{name: "a record of a newer version", says: "newer version", damage: func(t *testing.T, file string) {
			t.Helper()
			store := filestore.New(filepath.Dir(file))
			key := tokenstore.Key{Issuer: as.Issuer(), ClientID: clienttest.PublicClient, Account: "default"}
			data, v, err := store.Load(t.Context(), key)
			if err == nil {
				data, err = right.Decrypt(data, []byte(key.String()))
			}
			if err == nil {
				data, err = right.Encrypt(bytes.Replace(data, []byte(`"format":1`), []byte(`"format":2`), 1), []byte(key.String()))
			}
			if err == nil {
				_, err = store.Save(t.Context(), key, data, v)
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		{name: "the file of another account", damage: func(t *testing.T, file string) {
			t.Helper()
			other := filepath.Join(t.TempDir(), "store")
			login(start(other, right), "somebody else")
			data, err := os.ReadFile(grantFile(t, other))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			login(start(dir, right), "default")
			file := grantFile(t, dir)
			if c.damage != nil {
				c.damage(t, file)
			}
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sealer := c.sealer
			if sealer == nil {
				sealer = right
			}
			requests := len(as.Exchanges())
			me := start(dir, sealer).Account("default")
			asked := client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
				t.Error("the user was asked to log in")
				return as.Grant("alice"), nil
			})
			_, tokenErr := me.Token(t.Context())
			for call, err := range map[string]error{
				"Token": tokenErr, "Ensure": me.Ensure(t.Context(), asked), "Login": me.Login(t.Context(), asked),
			} {
				var e *client.Error
				if !errors.As(err, &e) || e.Temporary || errors.Is(err, client.ErrLoginRequired) || !errors.Is(err, tokenstore.ErrUnreadable) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v", call, err)
				}
			}
			if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was touched: %v", err)
			}
			if n := len(as.Exchanges()) - requests; n != 0 {
				t.Errorf("%d requests to the server", n)
			}
			if _, err := me.Logout(t.Context()); err == nil {
				t.Error("Logout does not say that nothing could be revoked")
			}
			if _, err := me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
				t.Errorf("Token after Logout: %v", err)
			}
			login(start(dir, right), "default")
		})
	}
}

func TestAFreshTokenIsFree(t *testing.T) {
	as := clienttest.NewServer(t)
	c, err := client.New(as.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	me := c.Account("default")
	if err := me.Login(t.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return as.Grant("alice"), nil })); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := me.Token(ctx); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("Token allocates %v times", n)
	}
}

func BenchmarkTokenFresh(b *testing.B) {
	as := clienttest.NewServer(b)
	c, err := client.New(as.Config())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	me := c.Account("default")
	if err := me.Login(b.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return as.Grant("alice"), nil })); err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.Run("token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := me.Token(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor: time.Now", func(b *testing.B) {
		var last time.Time
		for b.Loop() {
			last = time.Now()
		}
		_ = last
	})
}
