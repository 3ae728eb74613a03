package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/regrant/regrant/tokenstore"
)

// patience is how long the replicas are waited for.
const patience = time.Second

// runReplicated runs a script that writes, and waits for the replicas. WAIT looks
// at what its own connection has written, so both go over one. That is what Watch
// is for here; it finds the right server of a Cluster, too.
func (s *Store) runReplicated(ctx context.Context, doing string, x script, keys []string, args ...any) (any, error) {
	return s.await(ctx, doing, func() (result any, err error) {
		err = s.rdb.Watch(ctx, func(tx *redis.Tx) error {
			if result, err = s.lua(x).Run(ctx, tx, keys, args...).Result(); err != nil || result != int64(1) {
				return err
			}
			n, err := tx.Wait(ctx, s.Replicas, patience).Result()
			if err == nil && n < int64(s.Replicas) {
				err = fmt.Errorf("%w: %d of %d within %v", ErrReplicas, n, s.Replicas, patience)
			}
			return err
		}, keys[0])
		return result, err
	})
}

// suspect remembers that a record may be on the primary alone: an error can come
// from after it was written, and before the replicas had it.
func (s *Store) suspect(key tokenstore.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Replicas > 0 {
		s.unreplicated[key]++
	}
}

// replicate has the replicas receive what is kept under key, if this Store may have
// left it on the primary alone. Else a client that loads its own record after an
// error would take it for saved.
func (s *Store) replicate(ctx context.Context, key tokenstore.Key) error {
	s.mu.Lock()
	failures := s.unreplicated[key]
	s.mu.Unlock()
	if failures == 0 {
		return nil
	}
	if _, err := s.runReplicated(ctx, "replicate", touch, []string{s.record(key)}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unreplicated[key] == failures {
		delete(s.unreplicated, key)
	}
	return nil
}
