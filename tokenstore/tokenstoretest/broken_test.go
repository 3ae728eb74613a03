package tokenstoretest

import (
	"context"
	"iter"
	"time"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// A faulty is a memstore with some methods replaced. Every call takes a moment,
// as it would on a network, so that calls at the same time overlap.
type faulty struct {
	*memstore.Store
	load func(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error)
	save func(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error)
	del  func(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error
	lock func(ctx context.Context, key tokenstore.Key) (func(), error)
	list func(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error]
}

const moment = time.Millisecond

func (f *faulty) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	defer time.Sleep(moment)
	if f.load != nil {
		return f.load(ctx, key)
	}
	return f.Store.Load(ctx, key)
}

func (f *faulty) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	time.Sleep(2 * moment) // a Delete that begins at the same time comes first
	if f.save != nil {
		return f.save(ctx, key, data, old)
	}
	return f.Store.Save(ctx, key, data, old)
}

func (f *faulty) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	time.Sleep(moment)
	if f.del != nil {
		return f.del(ctx, key, old)
	}
	return f.Store.Delete(ctx, key, old)
}

func (f *faulty) Lock(ctx context.Context, key tokenstore.Key) (func(), error) {
	if f.lock != nil {
		return f.lock(ctx, key)
	}
	return f.Store.Lock(ctx, key)
}

func (f *faulty) List(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	if f.list != nil {
		return f.list(ctx, match)
	}
	return f.Store.List(ctx, match)
}

// one makes every handle the same store.
func one(breakIt func(*faulty)) func() tokenstore.Store {
	f := &faulty{Store: memstore.New()}
	breakIt(f)
	return func() tokenstore.Store { return f }
}

// current returns what lies under key.
func (f *faulty) current(key tokenstore.Key) (data []byte, v tokenstore.Version, exists bool) {
	data, v, err := f.Store.Load(context.Background(), key)
	return data, v, err == nil
}

// force saves whatever the version is.
func (f *faulty) force(key tokenstore.Key, data []byte) tokenstore.Version {
	_, v, _ := f.current(key)
	v, _ = f.Store.Save(context.Background(), key, data, v)
	return v
}

// A fault is a store that breaks a rule.
type fault struct {
	what  string
	rule  string
	also  []string // rules that cannot hold either then
	store func() (open func() tokenstore.Store)
}
