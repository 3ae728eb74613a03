package client

import (
	"context"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// This file is what a process remembers of a grant. A store may lose what it has
// acknowledged (a replica that lags takes over, a backup is restored); then the
// generation that somebody still knows is saved again, and no older token is
// sent.

// load reads the record, and remembers it: also when whoever reads it goes on to
// look again, for by then the store may have lost it.
func (k *keeper) load(ctx context.Context) (*record.Record, tokenstore.Version, error) {
	rec, v, err := k.vault.load(ctx)
	if rec != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		if !reaches(k.known, rec) && !reaches(k.seen, rec) {
			k.seen = rec
		}
	}
	return rec, v, err
}

// newer returns the record of rec's grant with the highest generation that this
// process knows, nil if that is no higher than that of rec.
func (k *keeper) newer(rec *record.Record) *record.Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range []*record.Record{k.seen, k.known} { // if both are of one grant, the former is higher
		if r.Same(rec) && r.Generation > rec.Generation {
			return r
		}
	}
	return nil
}

// highest is the highest record of the current grant that this process knows.
func (k *keeper) highest() *record.Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known
}

func (k *keeper) learn(rec *record.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.know(rec)
}

// know makes rec the record that is known of the current grant; k.mu is held.
func (k *keeper) know(rec *record.Record) {
	k.known = rec
	if !k.seen.Same(rec) || reaches(rec, k.seen) {
		k.seen = nil
	}
}

// reaches tells whether r is of o's grant, and of no lower generation.
func reaches(r, o *record.Record) bool { return r.Same(o) && r.Generation >= o.Generation }

// condemn remembers a record that is marked. An access token that ends works until
// then; of one that has no end nobody would ever hear that it is over.
func (k *keeper) condemn(rec *record.Record) {
	k.learn(rec)
	if rec.Expiry.IsZero() {
		k.current.Store(nil)
	}
}

// adopt takes over what is stored.
func (k *keeper) adopt(f *flight, rec *record.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.known
	if old != nil && (!old.Same(rec) || rec.Generation > old.Generation) {
		f.event(Adopted, rec.Generation, nil)
	}
	k.show(rec)
}

// forget drops everything in memory: the grant is gone.
func (k *keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.know(nil)
	k.denied = denial{}
	k.current.Store(nil)
}
