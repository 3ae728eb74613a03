package tokenstoretest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

var listerRules = []rule{
	{"once", "List yields each key once, with its three fields as they were.", listsOnce},
	{"match", "List yields the keys that match; an empty field of match matches everything.", listsMatches},
	{"deleted", "List does not yield what was deleted.", listsNoDeleted},
	{"break", "The walk ends when its caller ends it.", stopsWalking},
	{"use inside", "The store can be used inside the loop over List.", worksInsideList},
	{"busy", "A key that exists during the whole walk is yielded exactly once, also if it is saved meanwhile.", listsOnceWhileBusy},
	{"ended list", "The end of ctx is yielded once, with an empty Key, and ends the walk.", endedList},
}

func (p *place) walk(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	lister, _ := p.handle(1).(tokenstore.Lister)
	return lister.List(ctx, match)
}

// list counts how often each key is yielded. The place may have unreadable
// records of others: only an error with an empty Key ends a walk.
func (p *place) list(match tokenstore.Key) (map[tokenstore.Key]int, error) {
	seen := map[tokenstore.Key]int{}
	for key, err := range p.walk(p.ctx, match) {
		if err != nil && key == (tokenstore.Key{}) {
			return nil, fmt.Errorf("List: %w", err)
		}
		if err == nil {
			seen[key]++
		}
	}
	return seen, nil
}

// yields checks that List yields each of the keys once.
func yields(seen map[tokenstore.Key]int, keys ...tokenstore.Key) error {
	for _, key := range keys {
		if n := seen[key]; n != 1 {
			return fmt.Errorf("%s was yielded %d times", brief(key.String()), n)
		}
	}
	return nil
}

func listsOnce(p *place) error {
	keys := unlike()
	for _, key := range keys {
		v, err := p.create(key, "first")
		if err != nil {
			return err
		}
		if _, err := p.save(key, "second", v); err != nil {
			return err
		}
	}
	seen, err := p.list(tokenstore.Key{})
	if err != nil {
		return err
	}
	return yields(seen, keys...)
}

func listsMatches(p *place) error {
	x, y := newKey(), newKey()
	x.ClientID, x.Account = rand.Text(), rand.Text()
	y.ClientID, y.Account = rand.Text(), rand.Text()
	var keys, matches []tokenstore.Key
	for _, issuer := range []string{x.Issuer, y.Issuer} {
		for _, clientID := range []string{x.ClientID, y.ClientID} {
			for _, account := range []string{x.Account, y.Account} {
				keys = append(keys, tokenstore.Key{Issuer: issuer, ClientID: clientID, Account: account})
			}
		}
	}
	for _, issuer := range []string{x.Issuer, ""} {
		for _, clientID := range []string{x.ClientID, ""} {
			for _, account := range []string{x.Account, ""} {
				matches = append(matches, tokenstore.Key{Issuer: issuer, ClientID: clientID, Account: account})
			}
		}
	}
	for _, key := range keys {
		if _, err := p.create(key, "content"); err != nil {
			return err
		}
	}
	for _, match := range matches {
		seen, err := p.list(match)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if yielded := seen[key] > 0; yielded != key.Matches(match) {
				return fmt.Errorf("List with match %+v: %+v was yielded: %v", match, key, yielded)
			}
		}
	}
	return nil
}

func listsNoDeleted(p *place) error {
	key := newKey()
	v, err := p.create(key, "content")
	if err != nil {
		return err
	}
	if err := p.remove(key, v); err != nil {
		return err
	}
	seen, err := p.list(tokenstore.Key{Issuer: key.Issuer})
	if err == nil && seen[key] > 0 {
		err = errors.New("it was yielded")
	}
	return err
}

func stopsWalking(p *place) error {
	base := newKey()
	for range 3 {
		base.Account = rand.Text()
		if _, err := p.create(base, "content"); err != nil {
			return err
		}
	}
	calls := 0
	p.walk(p.ctx, tokenstore.Key{Issuer: base.Issuer})(func(tokenstore.Key, error) bool {
		calls++
		return false
	})
	if calls != 1 {
		return fmt.Errorf("yield was called %d times, and had returned false the first time", calls)
	}
	return nil
}

func worksInsideList(p *place) error {
	key := newKey()
	if _, err := p.create(key, "first"); err != nil {
		return err
	}
	return within(promptness, func() error {
		for found, err := range p.walk(p.ctx, tokenstore.Key{Issuer: key.Issuer}) {
			if err != nil {
				return err
			}
			s := p.handle(1)
			_, v, err := s.Load(p.ctx, found)
			if err != nil {
				return fmt.Errorf("Load: %w", err)
			}
			if v, err = s.Save(p.ctx, found, []byte("second"), v); err != nil {
				return fmt.Errorf("Save: %w", err)
			}
			if err := s.Delete(p.ctx, found, v); err != nil {
				return fmt.Errorf("Delete: %w", err)
			}
		}
		return nil
	})
}

func listsOnceWhileBusy(p *place) error {
	key, passing := newKey(), newKey()
	stay := make([]tokenstore.Key, workers)
	for i := range stay {
		stay[i] = key
		stay[i].Account = rand.Text()
		if _, err := p.create(stay[i], "content"); err != nil {
			return err
		}
	}
	passing.Issuer = key.Issuer
	var done atomic.Bool
	return together(2, func(i int) error {
		if i == 0 {
			return p.disturb(&done, passing, stay)
		}
		defer done.Store(true)
		for range rounds {
			seen, err := p.list(tokenstore.Key{Issuer: key.Issuer})
			if err == nil {
				err = yields(seen, stay...)
			}
			if err == nil && seen[passing] > 1 {
				err = errors.New("a key that comes and goes was yielded more than once")
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// disturb saves some keys, and creates and deletes another, until it is done.
func (p *place) disturb(done *atomic.Bool, passing tokenstore.Key, stay []tokenstore.Key) error {
	for i := 0; !done.Load() && p.ctx.Err() == nil; i++ {
		key := stay[i%len(stay)]
		_, v, err := p.handle(0).Load(p.ctx, key)
		if err != nil {
			return err
		}
		if _, err := p.save(key, "content", v); err != nil {
			return err
		}
		if v, err = p.create(passing, "content"); err != nil {
			return err
		}
		if err := p.remove(passing, v); err != nil {
			return err
		}
		pause(p.ctx, time.Millisecond)
	}
	return nil
}

func endedList(p *place) error {
	key := newKey()
	if _, err := p.create(key, "content"); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	return within(promptness, func() error {
		calls := 0
		for key, err := range p.walk(ctx, tokenstore.Key{}) {
			if calls++; !errors.Is(err, ctx.Err()) || key != (tokenstore.Key{}) {
				return fmt.Errorf("List yielded %v and the error %s instead of an empty Key and %s", key, quote(err), quote(ctx.Err()))
			}
		}
		if calls != 1 {
			return fmt.Errorf("it was yielded %d times", calls)
		}
		return nil
	})
}
