package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Check returns nil if an acknowledged Save survives a crash of the server: every
// primary appends to a file and syncs it with each write (appendonly yes,
// appendfsync always), evicts nothing that is kept here, and has as many replicas
// as [Store.Replicas] says. If not, the error tells all that is to be changed, or
// that could not be found out: services that others run often forbid CONFIG GET.
//
// Call it when the program is started. It tells how the server is set up now; it
// cannot tell whether its disk does what it says.
func (s *Store) Check(ctx context.Context) error {
	_, err := s.await(ctx, "check", func() (any, error) {
		cluster, ok := s.rdb.(interface {
			ForEachMaster(ctx context.Context, fn func(context.Context, *redis.Client) error) error
		})
		if !ok {
			return nil, s.checkPrimary(ctx, s.rdb)
		}
		var mu sync.Mutex
		var all []error
		err := cluster.ForEachMaster(ctx, func(ctx context.Context, primary *redis.Client) error {
			if err := s.checkPrimary(ctx, primary); err != nil {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, fmt.Errorf("%s: %w", primary.Options().Addr, err))
			}
			return nil
		})
		return nil, errors.Join(append(all, err)...)
	})
	return err
}

func (s *Store) checkPrimary(ctx context.Context, rdb redis.Cmdable) error {
	text, err := rdb.Info(ctx).Result()
	if err != nil {
		return err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[name] = value
	}
	var all []error
	wrong := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if role := info["role"]; role != "master" {
		wrong("it is a %.20q: connect to the primary", role)
	}
	if info["aof_enabled"] != "1" {
		wrong("a crash loses what was saved last: set appendonly yes")
	} else if fsync, err := rdb.ConfigGet(ctx, "appendfsync").Result(); err != nil {
		wrong("whether appendfsync is always could not be found out: %w", err)
	} else if value := fsync["appendfsync"]; value != "always" {
		wrong("a power cut loses what was saved last: appendfsync is %.20q, set it to always", value)
	}
	if status := info["aof_last_write_status"]; status != "" && status != "ok" {
		wrong("it cannot write its append-only file: aof_last_write_status is %.20q", status)
	}
	if policy := info["maxmemory_policy"]; strings.HasPrefix(policy, "allkeys") {
		wrong("it forgets grants when its memory is full: maxmemory-policy is %.20q, set it to noeviction", policy)
	}
	if n, _ := strconv.Atoi(info["connected_slaves"]); n < s.Replicas {
		wrong("it has %d replicas, and Replicas is %d", n, s.Replicas)
	}
	return errors.Join(all...)
}
