package filestore

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/regrant/regrant/tokenstore"
)

// List yields the keys that match; see [tokenstore.Lister]. Files whose key
// cannot be told come last, as one error with an empty Key.
func (s *Store) List(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	return func(yield func(tokenstore.Key, error) bool) {
		names, dir, err := s.names(ctx)
		if err != nil {
			yield(tokenstore.Key{}, err)
			return
		}
		if dir == nil {
			return
		}
		defer dir.Close()
		var nameless []error
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				yield(tokenstore.Key{}, err)
				return
			}
			f, err := s.read(ctx, dir, name)
			switch {
			case errors.Is(err, tokenstore.ErrNotFound): // deleted
			case f.key == tokenstore.Key{}:
				nameless = append(nameless, err)
			case f.key.Matches(match) && !yield(f.key, err):
				return
			}
		}
		if len(nameless) > 0 {
			yield(tokenstore.Key{}, errors.Join(nameless...))
		}
	}
}

// names returns the names of all keys that were ever written, and the directory
// they are in, nil if there is none.
func (s *Store) names(ctx context.Context) ([]string, *os.Root, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	dir, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		_ = dir.Close()
		return nil, nil, s.in(err)
	}
	// A record file that is replaced during the reading of a directory may be
	// missed or met twice on some file systems. The lock files stay, so together
	// they name each key once.
	names := map[string]bool{}
	for _, e := range entries {
		suffix := filepath.Ext(e.Name())
		if suffix == recordSuffix || suffix == swapSuffix {
			names[strings.TrimSuffix(e.Name(), suffix)] = true
		}
	}
	return slices.Collect(maps.Keys(names)), dir, nil
}
