// Package fleet lets many processes use one grant in a store, whatever store it
// is: the tests of each store hand over how to open it.
package fleet

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
)

// Open opens the store at a place, in whatever process. What it opens lives as
// long as the process.
type Open func(place string) (tokenstore.Store, error)

// Programs are what the processes of a fleet run: for [lab.Main].
func Programs(open Open) map[string]lab.Program {
	return map[string]lab.Program{program: func(c *lab.Child) error { return run(c, open) }}
}

const (
	program = "fleet"
	account = "alice"
)

// config is what a process has to know.
type config struct {
	Issuer string
	Place  string // of the store
	Key    []byte // seals the records
}

func (c config) client(open Open) (client.Config, error) {
	sealer, err := tokenstore.NewSealer(c.Key)
	if err != nil {
		return client.Config{}, err
	}
	store, err := open(c.Place)
	return client.Config{Issuer: c.Issuer, ClientID: clienttest.PublicClient, Store: store, Sealer: sealer}, err
}

// A Fleet is an authorization server, a grant in a store, and any number of
// processes that use it.
type Fleet struct {
	AS *clienttest.Server

	t        testing.TB
	config   config
	lifetime time.Duration // of access tokens, as clients are told; 0: as it is
	direct   client.Config // how the test itself sees the store
}

// New returns a Fleet whose user has logged in.
func New(t testing.TB, open Open, place string, set func(*clienttest.Options)) *Fleet {
	t.Helper()
	f := NewWithoutLogin(t, open, place, set)
	f.Login()
	return f
}

// NewWithoutLogin returns a Fleet whose store is empty.
func NewWithoutLogin(t testing.TB, open Open, place string, set func(*clienttest.Options)) *Fleet {
	t.Helper()
	as := clienttest.NewServer(t)
	as.Set(set)
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	f := &Fleet{AS: as, t: t, config: config{Issuer: as.Issuer(), Place: place, Key: key}}
	var err error
	if f.direct, err = f.config.client(open); err != nil {
		t.Fatal(err)
	}
	return f
}

// Login logs in without a browser, in place of whatever is kept.
func (f *Fleet) Login() {
	f.t.Helper()
	grant := client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
		token := f.AS.Grant(account)
		if f.lifetime > 0 {
			token.Expiry = time.Now().Add(f.lifetime)
		}
		return token, nil
	})
	if err := f.Join(f.direct.Store).Login(f.t.Context(), grant); err != nil {
		f.t.Fatal(err)
	}
}

// RenewAfter lets clients believe that the access tokens that they get from now on
// end after d. The API takes them for longer, so that a machine that is slow makes
// no difference.
func (f *Fleet) RenewAfter(d time.Duration) {
	f.lifetime = d
	f.AS.Set(func(o *clienttest.Options) {
		o.AccessTokenLifetime = time.Hour
		o.Tamper = func(_ clienttest.Exchange, answer map[string]any) {
			if _, ok := answer["expires_in"]; ok {
				answer["expires_in"] = int(d.Seconds())
			}
		}
	})
}

// Join returns the account as one more process has it, inside the test and over a
// store of its own: a handle on the same place, with whatever trouble between.
func (f *Fleet) Join(store tokenstore.Store) *client.Account {
	f.t.Helper()
	cfg := f.direct
	cfg.Store = store
	c, err := client.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	return c.Account(account)
}

// Start starts a process, and returns when it is up.
func (f *Fleet) Start() *lab.Process {
	f.t.Helper()
	return f.StartMany(1)[0]
}

// StartMany starts n processes, and returns when all are up.
func (f *Fleet) StartMany(n int) []*lab.Process {
	f.t.Helper()
	all := make([]*lab.Process, n)
	for i := range all {
		all[i] = lab.Start(f.t, program, f.config)
	}
	for _, p := range all {
		f.Tell(p, Rest)
	}
	return all
}

// Tell lets a process do something, and returns what came of it.
func (f *Fleet) Tell(p *lab.Process, o Order) Report {
	f.t.Helper()
	var r Report
	p.Send(o)
	p.Receive(&r)
	return r
}

// Expire waits until the access token that is stored has ended.
func (f *Fleet) Expire() {
	f.t.Helper()
	time.Sleep(time.Until(f.Stored().Expiry) + 50*time.Millisecond)
}

// Key returns the key of the grant.
func (f *Fleet) Key() tokenstore.Key {
	return tokenstore.Key{Issuer: f.config.Issuer, ClientID: clienttest.PublicClient, Account: account}
}

// Store returns the store as the test itself has opened it.
func (f *Fleet) Store() tokenstore.Store { return f.direct.Store }

// Version returns the version of what lies in the store.
func (f *Fleet) Version() tokenstore.Version {
	f.t.Helper()
	_, v, err := f.direct.Store.Load(f.t.Context(), f.Key())
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

// Stored returns what lies in the store.
func (f *Fleet) Stored() *record.Record {
	f.t.Helper()
	key := f.Key()
	data, _, err := f.direct.Store.Load(f.t.Context(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	if data, err = f.direct.Sealer.Decrypt(data, []byte(key.String())); err != nil {
		f.t.Fatal(err)
	}
	rec, err := record.Decode(data, key.String())
	if err != nil {
		f.t.Fatal(err)
	}
	return rec
}

// NobodyIsLoggedOut checks that the user was not asked to log in again, and that
// the grant lives.
func (f *Fleet) NobodyIsLoggedOut() {
	f.t.Helper()
	if n := f.AS.Requests(clienttest.AuthorizePath); n != 0 {
		f.t.Errorf("the user was asked to log in %d times", n)
	}
	if n := f.AS.Reused(); n != 0 {
		f.t.Errorf("%d refresh tokens were refused as reused", n)
	}
	if !f.AS.FamilyAlive(account) {
		f.t.Error("the grant has ended")
	}
}

// NothingIsLost checks that nobody is logged out, and that the refresh token in
// the store is one that the server would take.
func (f *Fleet) NothingIsLost() {
	f.t.Helper()
	f.NobodyIsLoggedOut()
	if f.Stored().RefreshToken != f.AS.LiveRefreshToken(account) {
		f.t.Error("the refresh token that is stored is not the newest that lives")
	}
}

// EachTokenWasSpentOnce checks that every refresh token was presented to the
// server exactly once, but for the newest.
func (f *Fleet) EachTokenWasSpentOnce() {
	f.t.Helper()
	for _, x := range f.AS.Exchanges() {
		if x.GrantType != "refresh_token" {
			continue
		}
		if n := f.AS.Presented(x.RefreshToken); n != 1 || x.Outcome != clienttest.Accepted {
			f.t.Errorf("the refresh token of generation %d was presented %d times: %v %s", x.Generation, n, x.Outcome, x.Error)
		}
	}
}
