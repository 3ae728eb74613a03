// Package redisstore keeps grants in Redis, for any number of machines that share
// it: a single server, a primary with Sentinel, or a Cluster.
//
// It works on github.com/redis/go-redis/v9, with the client of the program:
//
//	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, MasterName: "…"})
//	store := redisstore.New(rdb)
//	err := store.Check(ctx) // an acknowledged Save survives a crash
//
// It is tested on Redis 7.0, alone, with a replica, and as a Cluster; what Sentinel
// adds, to find the primary, is go-redis's.
//
// Every method is one script, which Redis runs as one step (List: one for each
// page). Nothing is locked. A script does the same when it comes twice, since
// go-redis sends a command again after its connection broke. The program needs
// EVAL, EVALSHA, GET, SET, DEL, GETRANGE, SETRANGE, PERSIST, ZADD, ZREM and
// ZRANGEBYLEX on the keys of the Prefix; Check needs INFO and CONFIG GET, and
// Replicas need WATCH, UNWATCH and WAIT.
//
// # Reads
//
// Load sees the last Save: every method goes to a primary, also if the client has
// ReadOnly, RouteByLatency or RouteRandomly set, and a replica that is asked all
// the same refuses. A *redis.Ring is refused: it goes to another server when one
// is down, as if nothing had ever been kept.
//
// # What survives
//
// A rotated refresh token that is lost may be a new login. By itself, Redis
// forgets what it has acknowledged: all since its last snapshot, or up to a second
// of an append-only file, when its machine loses power; and what had not yet
// reached the replica that takes over.
//
//   - A crash or a power cut: set "appendonly yes" and "appendfsync always". Save
//     then returns after the disk has the record.
//   - A failover: set [Store.Replicas]. Save then returns after so many replicas
//     have received the record. Which replica takes over is up to Sentinel or the
//     Cluster, so name all of them. With "min-replicas-to-write" the server refuses
//     to write at all while they are missing, before a token is spent.
//   - Eviction: set "maxmemory-policy noeviction", or one of volatile. What is kept
//     here has no time to live, and Load takes away one that was set by hand: a
//     grant that ends by itself is a user who is logged out.
//
// [Store.Check] tells whether a server is set up like this. Where it is not, a
// process that still runs and knows a later record than the server puts it back.
//
// # The keys
//
// All grants are spread over 64 groups, each with a hash tag of its own, so that a
// Cluster has them on all of its servers. A group is the records, one string each,
// and a sorted set of their issuers, clients and accounts, which List reads: it
// never scans what others keep.
package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/regrant/regrant/tokenstore"
)

// A Store is the keys of a Redis that begin with a prefix. It implements
// [tokenstore.Store] and [tokenstore.Lister]; it is not [tokenstore.Protected]: a
// client seals what it keeps here. Any number of Stores, on any number of
// machines, may share the keys. Make one with [New].
type Store struct {
	// Prefix is what all keys begin with; "" means "regrant:". Letters of ASCII,
	// digits and the characters . : _ / - are allowed, up to 100. Set it before the
	// first use.
	Prefix string

	// Replicas is how many replicas must have received a Save, or a Delete, before
	// it returns; 0 is none. If one second does not suffice, the error wraps
	// [ErrReplicas], and what was saved is on the primary alone: a Load by this Store
	// returns an error, too, until the replicas have it, so a client goes on
	// trying, and spends no token meanwhile. Other processes can load it. Set it
	// before the first use.
	Replicas int

	rdb     redis.UniversalClient
	scripts sync.Map // *redis.Script, by script

	mu           sync.Mutex
	unreplicated map[tokenstore.Key]int // failures since the replicas were last known to have all
}

var (
	_ tokenstore.Store  = (*Store)(nil)
	_ tokenstore.Lister = (*Store)(nil)
)

// ErrReplicas says that fewer replicas than [Store.Replicas] have received what
// the primary holds. It may get there later, and is lost if the primary fails
// before.
var ErrReplicas = errors.New("too few replicas have received it")

// New returns a Store on rdb. It does not touch the server: what is wrong with rdb
// or the server is an error of the first use. The caller closes rdb when nobody
// uses the Store any more; a client must be closed before.
func New(rdb redis.UniversalClient) *Store {
	return &Store{rdb: rdb, unreplicated: map[tokenstore.Key]int{}}
}

// versionLen is how many bytes of a record are its version; the rest is the data.
// A record that has no version is none, so that nothing is there that could never
// be replaced.
const versionLen = 26

// Load returns what is kept under key; see [tokenstore.Store].
func (s *Store) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	if err := s.replicate(ctx, key); err != nil {
		return nil, "", err
	}
	value, err := s.run(ctx, "load from", load, []string{s.record(key)})
	if err != nil {
		return nil, "", err
	}
	text, _ := value.(string)
	switch {
	case text == "":
		return nil, "", tokenstore.ErrNotFound
	case len(text) < versionLen:
		return nil, tokenstore.Version(text), fmt.Errorf("redisstore: %w: it has %d bytes, too few for a record of this store", tokenstore.ErrUnreadable, len(text))
	}
	return []byte(text[versionLen:]), tokenstore.Version(text[:versionLen]), nil
}

// Save replaces what is kept under key if its version is still old; see
// [tokenstore.Store]. An error other than ErrConflict may come from a connection
// that broke before or after the record was written, or be an [ErrReplicas]: load
// again and look.
func (s *Store) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	name, err := member(key)
	if err != nil {
		return "", err
	}
	v := tokenstore.Version(rand.Text())
	if old == "" {
		err = s.change(ctx, "save to", create, key, string(v), name, string(data))
	} else {
		err = s.change(ctx, "save to", swap, key, string(old), string(v), string(data))
	}
	if err != nil {
		return "", err
	}
	return v, nil
}

// Delete removes what is kept under key if its version is still old; see
// [tokenstore.Store].
func (s *Store) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	name, err := member(key)
	if err != nil {
		return err
	}
	return s.change(ctx, "delete from", remove, key, string(old), name)
}

// change runs a script that changes the record of key, and has the replicas receive
// it.
func (s *Store) change(ctx context.Context, doing string, x script, key tokenstore.Key, args ...any) error {
	keys := []string{s.record(key)}
	if x == create || x == remove {
		keys = append(keys, s.index(group(key)))
	}
	run := s.run
	if s.Replicas > 0 {
		run = s.runReplicated
	}
	done, err := run(ctx, doing, x, keys, args...)
	switch {
	case err != nil:
		s.suspect(key)
		return err
	case done != int64(1):
		return tokenstore.ErrConflict
	}
	return nil
}

// run runs a script, and returns its result; nil if that is null.
func (s *Store) run(ctx context.Context, doing string, x script, keys []string, args ...any) (any, error) {
	return s.await(ctx, doing, func() (any, error) {
		result, err := s.lua(x).Run(ctx, s.rdb, keys, args...).Result()
		if errors.Is(err, redis.Nil) {
			return nil, nil
		}
		return result, err
	})
}

// await waits for f no longer than ctx. By itself, go-redis reads an answer for as
// long as its own timeouts allow, unless it is told otherwise. What is left behind
// then ends with them, and can change nothing that the caller changes after
// looking: it compares versions, too.
func (s *Store) await(ctx context.Context, doing string, f func() (any, error)) (any, error) {
	if err := s.problem(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, s.failed(ctx, doing, err)
	}
	type outcome struct {
		result any
		err    error
	}
	over := make(chan outcome, 1)
	go func() {
		result, err := f()
		over <- outcome{result, err}
	}()
	var o outcome
	select {
	case o = <-over:
	case <-ctx.Done():
		o.err = ctx.Err()
	}
	if o.err != nil {
		return nil, s.failed(ctx, doing, o.err)
	}
	return o.result, nil
}

// problem says what is wrong with the Store.
func (s *Store) problem() error {
	if s.rdb == nil {
		return errors.New("redisstore: the redis.UniversalClient is nil: make one before New")
	}
	if _, ring := s.rdb.(*redis.Ring); ring {
		return errors.New("redisstore: a *redis.Ring goes to another server when one is down, and would find nothing there: use a *redis.Client or a *redis.ClusterClient")
	}
	if s.Prefix != "" && !prefix.MatchString(s.Prefix) {
		return fmt.Errorf("redisstore: Prefix is %.120q: use letters, digits and . : _ / -, up to 100", s.Prefix)
	}
	if s.Replicas < 0 {
		return fmt.Errorf("redisstore: Replicas is %d: use 0 for none", s.Replicas)
	}
	return nil
}

// failed says what the store was doing, and with which keys. The error of go-redis
// need not be that of ctx when ctx has ended.
func (s *Store) failed(ctx context.Context, doing string, err error) error {
	if end := ctx.Err(); end != nil && !errors.Is(err, end) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	switch text := err.Error(); {
	case strings.Contains(text, "WRONGTYPE"):
		err = fmt.Errorf("%w (another program uses these keys: choose another Prefix)", err)
	case redis.IsReadOnlyError(err):
		err = fmt.Errorf("%w (the client is connected to a replica: connect it to the primary, or by Sentinel or as a Cluster, which know it)", err)
	}
	return fmt.Errorf("redisstore: cannot %s %s*: %w", doing, s.prefix(), err)
}
