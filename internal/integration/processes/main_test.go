// Package processes_test lets real processes share a store: they are started at
// once, killed, and stopped in the middle of a rotation. Each is the test binary
// itself, with a grant in a filestore and a server that speaks over TCP.
package processes_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

func TestMain(m *testing.M) { lab.Main(m, map[string]lab.Program{program: user}) }

const account = "alice"

// A config is what a process has to know.
type config struct {
	Issuer string
	Dir    string // of the filestore
	Key    []byte // seals the records
}

// client returns what every process makes of its config, the test included.
func (c config) client() (client.Config, error) {
	sealer, err := tokenstore.NewSealer(c.Key)
	return client.Config{Issuer: c.Issuer, ClientID: clienttest.PublicClient, Store: filestore.New(c.Dir), Sealer: sealer}, err
}

// A world is one authorization server and one store, for any number of processes.
type world struct {
	as *clienttest.Server
	config
}

func newWorld(t testing.TB, set func(*clienttest.Options)) *world {
	t.Helper()
	as := clienttest.NewServer(t)
	as.Set(set)
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return &world{as: as, config: config{Issuer: as.Issuer(), Dir: t.TempDir() + "/grants", Key: key}}
}

// open returns the account as the test itself sees it: one process more.
func (w *world) open(t testing.TB, set func(*client.Config)) (*client.Client, *client.Account) {
	t.Helper()
	cfg, err := w.config.client()
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, c.Account(account)
}

// login logs in without a browser.
func (w *world) login(t testing.TB) {
	t.Helper()
	_, me := w.open(t, nil)
	err := me.Login(t.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return w.as.Grant(account), nil }))
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) key() tokenstore.Key {
	return tokenstore.Key{Issuer: w.Issuer, ClientID: clienttest.PublicClient, Account: account}
}

// version returns the version of what lies in the store.
func (w *world) version(t testing.TB) tokenstore.Version {
	t.Helper()
	_, v, err := filestore.New(w.Dir).Load(t.Context(), w.key())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// stored returns what lies in the store.
func (w *world) stored(t testing.TB) *record.Record {
	t.Helper()
	cfg, err := w.config.client()
	if err != nil {
		t.Fatal(err)
	}
	key := w.key()
	data, _, err := cfg.Store.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = cfg.Sealer.Decrypt(data, []byte(key.String())); err != nil {
		t.Fatal(err)
	}
	rec, err := record.Decode(data, key.String())
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// expire waits until the access token that is stored has ended.
func (w *world) expire(t testing.TB) {
	t.Helper()
	time.Sleep(time.Until(w.stored(t).Expiry) + 50*time.Millisecond)
}

// nobodyLoggedIn checks that the user was not asked again, and that the grant is
// still good.
func (w *world) nobodyLoggedIn(t testing.TB) {
	t.Helper()
	if n := w.as.Requests(clienttest.AuthorizePath); n != 0 {
		t.Errorf("the user was asked to log in %d times", n)
	}
	if n := w.as.Reused(); n != 0 {
		t.Errorf("%d refresh tokens were refused as reused", n)
	}
	if !w.as.FamilyAlive(account) {
		t.Error("the grant has ended")
	}
}
