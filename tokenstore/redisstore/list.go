package redisstore

import (
	"context"
	"iter"

	"github.com/regrant/regrant/tokenstore"
)

// pageSize is how many keys List reads with one script.
const pageSize = 500

// List yields the keys that match, in pages; see [tokenstore.Lister]. It asks each
// of the 64 groups at least once, one after the other, unless all three fields are
// given. With an issuer in match, or an issuer and a client, it reads no other
// keys; without an issuer it reads all of them.
//
// A record that was deleted by hand is listed until [Store.Delete].
func (s *Store) List(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	return func(yield func(tokenstore.Key, error) bool) {
		from, to := 0, groups
		if match.Issuer != "" && match.ClientID != "" && match.Account != "" {
			from = group(match)
			to = from + 1
		}
		for g := from; g < to; g++ {
			if !s.walk(ctx, g, match, yield) {
				return
			}
		}
	}
}

// walk yields what matches of a group, and reports whether to go on.
func (s *Store) walk(ctx context.Context, group int, match tokenstore.Key, yield func(tokenstore.Key, error) bool) bool {
	first, last := span(match)
	for {
		result, err := s.run(ctx, "list", page, []string{s.index(group)}, first, last, pageSize)
		if err != nil {
			yield(tokenstore.Key{}, err)
			return false
		}
		members, _ := result.([]any)
		for _, m := range members {
			if err := ctx.Err(); err != nil {
				yield(tokenstore.Key{}, s.failed(ctx, "list", err))
				return false
			}
			text, _ := m.(string)
			key, err := parse(text)
			if err != nil {
				yield(tokenstore.Key{}, err)
				return false
			}
			if key.Matches(match) && !yield(key, nil) {
				return false
			}
			first = "(" + text
		}
		if len(members) < pageSize {
			return true
		}
	}
}
