package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// storeTimeout bounds one call of the store, so that a store that hangs is a
// store that fails.
const storeTimeout = 10 * time.Second

// A vault reads and writes the record of one key.
type vault struct {
	store  tokenstore.Store
	sealer tokenstore.Sealer // nil: the store protects what it is given
	key    tokenstore.Key
	name   string // key.String()
}

func newVault(cfg *Config, key tokenstore.Key) vault {
	return vault{store: cfg.Store, sealer: cfg.Sealer, key: key, name: key.String()}
}

// load returns the record and its version. Nothing kept is (nil, v, nil). What
// does not open is a tokenstore.ErrUnreadable with its version, and must stay as
// it is: a wrong passphrase today is the right one tomorrow.
func (v *vault) load(ctx context.Context) (*record.Record, tokenstore.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	data, version, err := v.store.Load(ctx, v.key)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil, version, nil
	case errors.Is(err, tokenstore.ErrUnreadable):
		return nil, version, unreadable(err)
	case err != nil:
		return nil, "", err
	}
	rec, err := v.open(data)
	if err != nil {
		return nil, version, unreadable(fmt.Errorf("%w: %w", tokenstore.ErrUnreadable, err))
	}
	return rec, version, nil
}

func unreadable(err error) error {
	return fmt.Errorf("the grant that is kept is left as it is: %w", err)
}

func (v *vault) open(data []byte) (*record.Record, error) {
	if v.sealer != nil {
		plain, err := v.sealer.Decrypt(data, v.key.AssociatedData())
		if err != nil {
			return nil, err
		}
		data = plain
	}
	return record.Decode(data, v.name)
}

// save replaces the record if its version is still old.
func (v *vault) save(ctx context.Context, rec *record.Record, old tokenstore.Version) (tokenstore.Version, error) {
	data, err := rec.Encode(v.name)
	if err != nil {
		return "", fmt.Errorf("the grant cannot be encoded: %w", err)
	}
	if v.sealer != nil {
		if data, err = v.sealer.Encrypt(data, v.key.AssociatedData()); err != nil {
			return "", fmt.Errorf("the grant cannot be sealed: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return v.store.Save(ctx, v.key, data, old)
}

func (v *vault) delete(ctx context.Context, old tokenstore.Version) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return v.store.Delete(ctx, v.key, old)
}
