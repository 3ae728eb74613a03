package redisstore_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/redisstore"
)

// What Redis does is tested on real ones, in internal/integration. Here is what
// never gets so far.

var key = tokenstore.Key{Issuer: "https://issuer.example", ClientID: "backend", Account: "alice"}

// calls returns what each method returns.
func calls(ctx context.Context, s *redisstore.Store) map[string]error {
	all := map[string]error{"Check": s.Check(ctx), "Delete": s.Delete(ctx, key, "version")}
	_, _, all["Load"] = s.Load(ctx, key)
	_, all["creating Save"] = s.Save(ctx, key, []byte("data"), "")
	_, all["Save"] = s.Save(ctx, key, []byte("data"), "version")
	for _, err := range s.List(ctx, tokenstore.Key{}) {
		all["List"] = err
	}
	return all
}

var errDown = errors.New("connection refused")

// down is a server that nobody reaches.
func down(t *testing.T, asked *int) *redis.Client {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{MaxRetries: -1, DialerRetries: 1, Dialer: func(context.Context, string, string) (net.Conn, error) {
		*asked++
		return nil, errDown
	}})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func TestWhatIsWrongWithAStoreIsAnErrorBeforeTheServerIsAsked(t *testing.T) {
	asked := 0
	rdb := down(t, &asked)
	ring := redis.NewRing(&redis.RingOptions{})
	defer ring.Close()
	for _, c := range []struct {
		what     string
		rdb      redis.UniversalClient
		prefix   string
		replicas int
		says     string
	}{
		{"no client", nil, "", 0, "make one before New"},
		{"a ring", ring, "", 0, "use a *redis.Client or a *redis.ClusterClient"},
		{"a hash tag", rdb, "{auth}:", 0, "Prefix is"},
		{"a brace", rdb, "auth{", 0, "Prefix is"},
		{"a line", rdb, "auth\n", 0, "Prefix is"},
		{"a pattern", rdb, "*", 0, "Prefix is"},
		{"a long prefix", rdb, strings.Repeat("p", 101), 0, "Prefix is"},
		{"fewer than no replicas", rdb, "", -1, "Replicas is"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := redisstore.New(c.rdb)
			s.Prefix, s.Replicas = c.prefix, c.replicas
			for method, err := range calls(t.Context(), s) {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s returned %v", method, err)
				}
			}
		})
	}
	s := redisstore.New(rdb)
	if _, err := s.Save(t.Context(), tokenstore.Key{Issuer: "i\x00", ClientID: "c", Account: "a"}, nil, ""); err == nil {
		t.Error("a field with a NUL byte is accepted, and would be another key in the index")
	}
	if asked > 0 {
		t.Errorf("the server was asked %d times", asked)
	}
}

func TestAServerThatIsDownIsNeitherAbsentNorInConflict(t *testing.T) {
	for _, replicas := range []int{0, 1} {
		s := redisstore.New(down(t, new(int)))
		s.Prefix, s.Replicas = "auth:", replicas
		for method, err := range calls(t.Context(), s) {
			if !errors.Is(err, errDown) || !strings.Contains(err.Error(), "auth:") {
				t.Errorf("%s returned %v", method, err)
			}
			for _, other := range []error{tokenstore.ErrNotFound, tokenstore.ErrConflict, tokenstore.ErrUnavailable, tokenstore.ErrUnreadable} {
				if errors.Is(err, other) {
					t.Errorf("%s returned %v, which says %v", method, err, other)
				}
			}
		}
	}
}

// By itself, go-redis would read on.
func TestTheEndOfAContextIsToldWhileTheServerSaysNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	rdb := redis.NewClient(&redis.Options{Dialer: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _ = theirs.Close() })
		cancel() // its caller gives up while it waits
		return ours, nil
	}})
	defer rdb.Close()
	if _, _, err := redisstore.New(rdb).Load(ctx, key); !errors.Is(err, context.Canceled) {
		t.Errorf("Load returned %v", err)
	}
}
