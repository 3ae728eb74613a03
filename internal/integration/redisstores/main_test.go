// Package redisstores_test proves redisstore on real servers: a Redis, a Redis with
// a replica, and a Redis Cluster.
package redisstores_test

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/regrant/regrant/internal/integration/crash"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/redisstore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

func TestMain(m *testing.M) {
	logging.Disable() // it tells of every cut connection
	lab.Main(m, fleet.Programs(openPlace))
}

var key = tokenstore.Key{Issuer: "https://issuer.example", ClientID: "backend", Account: "alice"}

// A place is the keys of a Redis with a prefix, as a process is told of it.
type place struct {
	Addrs    []string // several: a Cluster
	Prefix   string
	Replicas int
	ReadOnly bool // as the option of go-redis
}

// on returns the place of a prefix that nobody else uses.
func on(addrs ...string) place {
	return place{Addrs: addrs, Prefix: strings.ToLower(rand.Text()) + ":"}
}

func (p place) open() (*redisstore.Store, redis.UniversalClient) {
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: p.Addrs, ReadOnly: p.ReadOnly, RouteRandomly: p.ReadOnly})
	s := redisstore.New(rdb)
	s.Prefix, s.Replicas = p.Prefix, p.Replicas
	return s, rdb
}

// store is open for a test.
func (p place) store(t testing.TB) *redisstore.Store {
	t.Helper()
	s, rdb := p.open()
	t.Cleanup(func() { _ = rdb.Close() })
	return s
}

// client is one that a test uses for itself.
func (p place) client(t testing.TB) redis.UniversalClient {
	t.Helper()
	_, rdb := p.open()
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// String is how the place is told to a process.
func (p place) String() string {
	text, _ := json.Marshal(p)
	return string(text)
}

func openPlace(text string) (tokenstore.Store, error) {
	var p place
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, err
	}
	s, _ := p.open()
	return s, nil
}

func (p place) contract(t *testing.T) {
	tokenstoretest.TestStore(t, func(t *testing.T) tokenstore.Store { return p.store(t) })
}

// All tests of a server are under its name, so that it is started once.

func TestRedis(t *testing.T) {
	t.Parallel()
	socket := lab.StartRedis(t).Socket
	t.Run("the contract is kept", on(socket).contract)
	t.Run("how long Load and Save take", func(t *testing.T) { fleet.HowLong(t, on(socket).store(t)) })
	t.Run("twenty thousand keys are listed in pages", func(t *testing.T) { manyKeys(t, on(socket)) })
	t.Run("the scripts are sent again when the server has forgotten them", func(t *testing.T) { forgottenScripts(t, on(socket)) })
	t.Run("keys of another program are an error, and stay", func(t *testing.T) { foreignKeys(t, on(socket)) })
	t.Run("what is damaged can be replaced", func(t *testing.T) { damaged(t, on(socket)) })
	t.Run("nothing that is kept ends by itself", func(t *testing.T) { timeToLive(t, on(socket)) })
	t.Run("a script that comes twice does it once", func(t *testing.T) { twice(t, on(socket)) })
	sharedBy(t, on, socket)
	store := crash.Store{Open: openPlace, Place: func(testing.TB) string { return on(socket).String() }}
	t.Run("nothing but its answer and its save is between a commit and its record", store.NothingElseIsInTheWindow)
	t.Run("killing the holder costs no login at a server with a grace period", func(t *testing.T) {
		t.Parallel()
		store.SurvivesKills(t)
	})
	t.Run("killing the holder loses a grant only with its answer", func(t *testing.T) {
		t.Parallel()
		store.LosesOnlyTheUnavoidable(t)
	})
	t.Run("a connection that is cut in a save loses nothing", func(t *testing.T) {
		fleet.SurvivesCuts(t, openPlace, func(t *testing.T) fleet.Link { return through(t, socket) }, true)
	})
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	addrs := lab.StartRedisCluster(t)
	t.Run("the contract is kept", on(addrs...).contract)
	t.Run("what the server gave comes back whole", func(t *testing.T) { fleet.KeepsWhole(t, openPlace, on(addrs...).String(), 64<<10) })
	t.Run("the contract is kept when the client reads from replicas", func(t *testing.T) {
		p := on(addrs...)
		p.ReadOnly = true
		p.contract(t)
	})
	t.Run("the contract is kept when a replica has every save", func(t *testing.T) {
		p := on(addrs...)
		p.Replicas = 1
		p.contract(t)
	})
	t.Run("grants lie on every primary, and each with its index", func(t *testing.T) { spread(t, on(addrs...)) })
	t.Run("how long Load and Save take", func(t *testing.T) { fleet.HowLong(t, on(addrs...).store(t)) })
	t.Run("Check asks every primary", func(t *testing.T) { checkCluster(t, on(addrs...)) })
	sharedBy(t, on, addrs...)
}

// through returns a place of a test's own, also behind a proxy. go-redis sends a
// request again whose connection was cut.
func through(t *testing.T, socket string) fleet.Link {
	direct, proxy := on(socket), lab.NewProxy(t, "unix", socket)
	behind := direct
	behind.Addrs = []string{proxy.Addr}
	return fleet.Link{Place: direct.String(), Store: behind.store(t), Proxy: proxy}
}

// sharedBy runs the tests of processes that share a store.
func sharedBy(t *testing.T, on func(...string) place, addrs ...string) {
	t.Run("twenty processes survive every expiry", func(t *testing.T) {
		fleet.SurvivesEveryExpiry(t, openPlace, on(addrs...).String())
	})
	t.Run("a holder that is stopped past its lease logs nobody out", func(t *testing.T) {
		t.Parallel()
		crash.Store{Open: openPlace, Place: func(testing.TB) string { return on(addrs...).String() }}.SurvivesAStoppedHolder(t)
	})
	t.Run("a holder that is stopped past its lease loses no more than the server takes", func(t *testing.T) {
		t.Parallel()
		fleet.TellsOfAStoppedHolder(t, openPlace, func() string { return on(addrs...).String() })
	})
}
