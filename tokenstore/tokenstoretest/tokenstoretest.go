// Package tokenstoretest holds a [tokenstore.Store] to its contract. Every rule
// of the contract is a test, and a failure quotes the rule that was broken:
//
//	func TestStore(t *testing.T) {
//		db := openTestDatabase(t)
//		tokenstoretest.TestStore(t, func(t *testing.T) tokenstore.Store { return mystore.New(db) })
//	}
package tokenstoretest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

// TestStore runs every rule of [tokenstore.Store] as a subtest, and those of
// [tokenstore.Locker] and [tokenstore.Lister] if the store has their methods.
//
// Each call of open returns another handle on one and the same place, as another
// process would have it: another connection to one database, another Store on
// one directory. TestStore opens a few per subtest, and uses them at the same
// time. What open starts it ends with t.Cleanup.
//
// The keys are new and random in each run. So the place need not be empty, but
// it is left with records of no use.
func TestStore(t *testing.T, open func(t *testing.T) tokenstore.Store) {
	t.Helper()
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			if s := open(t); !group.applies(s) {
				t.Skipf("%T is no tokenstore.%s", s, group.name)
			}
			for _, r := range group.rules {
				t.Run(r.name, func(t *testing.T) {
					p := newPlace(t.Context(), func() tokenstore.Store { return open(t) })
					if err := r.broken(p); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// A group is the rules of one interface.
type group struct {
	name    string
	applies func(tokenstore.Store) bool
	rules   []rule
}

var groups = []group{
	{"Store", func(tokenstore.Store) bool { return true }, storeRules},
	{"Locker", is[tokenstore.Locker], lockerRules},
	{"Lister", is[tokenstore.Lister], listerRules},
}

func is[T any](s tokenstore.Store) bool {
	_, ok := s.(T)
	return ok
}

// A rule is one sentence of the contract.
type rule struct {
	name      string
	statement string
	check     func(*place) error // what was seen, if it is against the rule
}

// checkLimit ends a check that hangs, be the store as slow as it may.
const checkLimit = 2 * time.Minute

// broken checks the rule, and quotes it if it is broken.
func (r rule) broken(p *place) error {
	var cancel context.CancelFunc
	p.ctx, cancel = context.WithTimeout(p.ctx, checkLimit)
	defer cancel()
	if err := within(checkLimit, func() error { return r.check(p) }); err != nil {
		return fmt.Errorf("%T breaks a rule of the contract:\n\t%s\nWhat was seen:\n\t%w", p.handle(0), r.statement, err)
	}
	return nil
}

// A place is what is tested, seen by several processes.
type place struct {
	ctx     context.Context
	handles []tokenstore.Store
}

func newPlace(ctx context.Context, open func() tokenstore.Store) *place {
	p := &place{ctx: ctx}
	for range 4 {
		p.handles = append(p.handles, open())
	}
	return p
}

// handle returns what the i-th process uses; there are fewer handles than
// workers in some checks, so goroutines share them, too.
func (p *place) handle(i int) tokenstore.Store { return p.handles[i%len(p.handles)] }

// newKey returns a key that nobody has used.
func newKey() tokenstore.Key {
	return tokenstore.Key{Issuer: "https://" + rand.Text() + ".example", ClientID: "tokenstoretest", Account: "somebody"}
}

// absent returns the version that a creating Save passes.
func (p *place) absent(key tokenstore.Key) tokenstore.Version {
	_, v, _ := p.handle(0).Load(p.ctx, key)
	return v
}

// create keeps data under a new key.
func (p *place) create(key tokenstore.Key, data string) (tokenstore.Version, error) {
	return p.save(key, data, p.absent(key))
}

func (p *place) save(key tokenstore.Key, data string, old tokenstore.Version) (tokenstore.Version, error) {
	v, err := p.handle(0).Save(p.ctx, key, []byte(data), old)
	if err != nil {
		return "", fmt.Errorf("Save with version %q, which is the current one: %w", old, err)
	}
	return v, nil
}

func (p *place) remove(key tokenstore.Key, old tokenstore.Version) error {
	if err := p.handle(0).Delete(p.ctx, key, old); err != nil {
		return fmt.Errorf("Delete with version %q, which is the current one: %w", old, err)
	}
	return nil
}

// holds checks what lies under key, as the i-th process sees it.
func (p *place) holds(i int, key tokenstore.Key, want string) error {
	data, _, err := p.handle(i).Load(p.ctx, key)
	if err != nil {
		return fmt.Errorf("Load of %s: %w", brief(key.String()), err)
	}
	if string(data) != want {
		return fmt.Errorf("Load returned %s instead of %s", brief(string(data)), brief(want))
	}
	return nil
}

// empty checks that nothing lies under key, as the i-th process sees it.
func (p *place) empty(i int, key tokenstore.Key) error {
	data, _, err := p.handle(i).Load(p.ctx, key)
	if !errors.Is(err, tokenstore.ErrNotFound) {
		return fmt.Errorf("Load returned %s and the error %s instead of ErrNotFound", brief(string(data)), quote(err))
	}
	return nil
}

func conflict(what string, err error) error {
	if !errors.Is(err, tokenstore.ErrConflict) {
		return fmt.Errorf("%s returned the error %s instead of ErrConflict", what, quote(err))
	}
	return nil
}

// quote makes an error that may be nil fit for a message.
func quote(err error) string { return strconv.Quote(fmt.Sprint(err)) }

// brief makes bytes fit for a message.
func brief(s string) string {
	const most = 60
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
}

// promptness is what a call may take that has nothing to wait for. It is long,
// because the machine may be busy; a store that waits for something else waits
// for longer.
const promptness = 10 * time.Second

// within returns the error of f, or says that it hangs; it is left behind then.
func within(limit time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("no answer within %v", limit)
	}
}

// pause gives others time to do what they should not.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// together runs n workers that begin at the same time, and returns the first
// error: those of workers that fail alike would repeat it.
func together(n int, work func(i int) error) error {
	errs := make([]error, n)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-begin
			errs[i] = work(i)
		})
	}
	close(begin)
	wg.Wait()
	return cmp.Or(errs...)
}
