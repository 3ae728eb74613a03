package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/regrant/regrant/tokenstore"
)

// pageSize is how many keys List reads with one statement.
const pageSize = 500

// List yields the keys that match, in pages; see [tokenstore.Lister]. No
// statement is open while a key is yielded, so a pool of one connection is
// enough. With an issuer in match, or an issuer and a client, it reads no other
// rows; without an issuer it reads the whole table, as it does to find an account
// among many.
func (s *Store) List(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	return func(yield func(tokenstore.Key, error) bool) {
		after, last := span(match)
		for {
			page, err := s.page(ctx, after, last)
			if err != nil {
				yield(tokenstore.Key{}, err)
				return
			}
			for _, r := range page {
				if err := ctx.Err(); err != nil {
					yield(tokenstore.Key{}, s.failed(ctx, "list", err))
					return
				}
				if r.key.Matches(match) && !yield(r.key, r.check()) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = page[len(page)-1].id
		}
	}
}

type row struct {
	id  []byte
	key tokenstore.Key
}

// check tells a row that was made or changed by hand: under the key that it
// shows nobody finds it.
func (r row) check() error {
	if bytes.Equal(r.id, id(r.key)) {
		return nil
	}
	return fmt.Errorf("sqlstore: %w: its id is not that of its issuer, client_id and account, which were changed in the table: delete the row", tokenstore.ErrUnreadable)
}

func (s *Store) page(ctx context.Context, after, last []byte) (page []row, err error) {
	query, err := s.statement(`SELECT id, issuer, client_id, account FROM {table} WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, query, after, last, pageSize)
	if err != nil {
		return nil, s.failed(ctx, "list", err)
	}
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.key.Issuer, &r.key.ClientID, &r.key.Account); err != nil {
			return nil, s.failed(ctx, "list", errors.Join(err, rows.Close()))
		}
		page = append(page, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, s.failed(ctx, "list", err)
	}
	return page, nil
}

// The id of a row is a part of the hash of its issuer, a part of the hash of its
// client, and the hash of its key. The last alone names the row; the first two
// put it beside those that are listed with it.
const (
	groupLen = 8
	idLen    = 2*groupLen + sha256.Size
)

func id(key tokenstore.Key) []byte {
	return slices.Concat(group(key.Issuer), group(key.ClientID), hash(key.String()))
}

func group(field string) []byte { return hash(field)[:groupLen] }

func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// span returns the limits of the ids of all keys that match: greater than after,
// and no greater than last. It can have ids of others.
func span(match tokenstore.Key) (after, last []byte) {
	prefix := []byte{}
	if match.Issuer != "" {
		prefix = group(match.Issuer)
		if match.ClientID != "" {
			prefix = append(prefix, group(match.ClientID)...)
		}
	}
	return prefix, append(slices.Clone(prefix), bytes.Repeat([]byte{0xff}, idLen-len(prefix))...)
}
