package tokenstoretest

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

// listing makes a store whose List is made from the right one.
func listing(wrap func(ctx context.Context, match tokenstore.Key, right listFunc, yield func(tokenstore.Key, error) bool)) func() func() tokenstore.Store {
	return func() func() tokenstore.Store {
		return one(func(f *faulty) {
			f.list = func(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
				return func(yield func(tokenstore.Key, error) bool) { wrap(ctx, match, f.Store.List, yield) }
			}
		})
	}
}

type listFunc func(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error]

var listerFaults = []fault{
	{"makes the key from a name", "once", nil, listing(func(ctx context.Context, match tokenstore.Key, right listFunc, yield func(tokenstore.Key, error) bool) {
		for key, err := range right(ctx, match) {
			key.Account = url.QueryEscape(key.Account)
			if !yield(key, err) {
				return
			}
		}
	})},
	{"lists every generation", "once", []string{"use inside", "busy"}, listing(func(ctx context.Context, match tokenstore.Key, right listFunc, yield func(tokenstore.Key, error) bool) {
		for key, err := range right(ctx, match) {
			if !yield(key, err) || err == nil && !yield(key, err) {
				return
			}
		}
	})},
	{"takes no notice of the client", "match", nil, listing(func(ctx context.Context, match tokenstore.Key, right listFunc, yield func(tokenstore.Key, error) bool) {
		match.ClientID = ""
		right(ctx, match)(yield)
	})},
	{"compares an empty field", "match", []string{"once", "break", "busy"}, listing(func(ctx context.Context, match tokenstore.Key, right listFunc, yield func(tokenstore.Key, error) bool) {
		for key, err := range right(ctx, match) {
			if (err != nil || key == match) && !yield(key, err) {
				return
			}
		}
	})},
	{"lists from an index that only grows", "deleted", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			var index sync.Map
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				index.Store(key, nil)
				return f.Store.Save(ctx, key, data, old)
			}
			f.list = func(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
				return func(yield func(tokenstore.Key, error) bool) {
					if ctx.Err() != nil {
						yield(tokenstore.Key{}, ctx.Err())
						return
					}
					index.Range(func(key, _ any) bool {
						k := key.(tokenstore.Key)
						return !k.Matches(match) || yield(k, nil)
					})
				}
			}
		})
	}},
	{"does not stop", "break", nil, listing(func(ctx context.Context, match tokenstore.Key, right listFunc, yield func(tokenstore.Key, error) bool) {
		for key, err := range right(ctx, match) {
			yield(key, err)
		}
	})},
	{"holds its lock while it yields", "use inside", nil, func() func() tokenstore.Store {
		return one(func(f *faulty) {
			lock := make(chan struct{}, 1) // not a Mutex: a bubble of synctest does not see who waits for one
			f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
				select {
				case lock <- struct{}{}:
				case <-ctx.Done():
					return "", ctx.Err()
				}
				defer func() { <-lock }()
				return f.Store.Save(ctx, key, data, old)
			}
			f.list = func(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
				return func(yield func(tokenstore.Key, error) bool) {
					lock <- struct{}{}
					defer func() { <-lock }()
					f.Store.List(ctx, match)(yield)
				}
			}
		})
	}},
	{"pages through what moves", "busy", nil, pages},
	{"takes no notice of ctx", "ended list", nil, listing(func(ctx context.Context, match tokenstore.Key, right listFunc, yield func(tokenstore.Key, error) bool) {
		right(context.WithoutCancel(ctx), match)(yield)
	})},
	{"says that ctx has ended for every key", "ended list", nil, listing(func(ctx context.Context, match tokenstore.Key, right listFunc, yield func(tokenstore.Key, error) bool) {
		for key, err := range right(context.WithoutCancel(ctx), match) {
			if !yield(key, errors.Join(err, ctx.Err())) {
				return
			}
		}
	})},
}

// pages makes a store that lists what was saved last first, one key per page.
func pages() func() tokenstore.Store {
	return one(func(f *faulty) {
		var mu sync.Mutex
		var order []tokenstore.Key
		page := func(n int) (tokenstore.Key, bool) {
			time.Sleep(moment)
			mu.Lock()
			defer mu.Unlock()
			if n >= len(order) {
				return tokenstore.Key{}, false
			}
			return order[n], true
		}
		f.save = func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
			mu.Lock()
			defer mu.Unlock()
			order = slices.DeleteFunc(order, func(k tokenstore.Key) bool { return k == key })
			order = slices.Insert(order, 0, key)
			return f.Store.Save(ctx, key, data, old)
		}
		f.list = func(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
			return func(yield func(tokenstore.Key, error) bool) {
				if ctx.Err() != nil {
					yield(tokenstore.Key{}, ctx.Err())
					return
				}
				for n := 0; ; n++ {
					key, ok := page(n)
					if !ok {
						return
					}
					if _, _, exists := f.current(key); exists && key.Matches(match) && !yield(key, nil) {
						return
					}
				}
			}
		}
	})
}
