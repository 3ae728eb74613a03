package tokenstoretest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

var lockerRules = []rule{
	{"exclusion", "At most one holder has the lock of a key at a time, among all goroutines and processes that share the place.", exclusion},
	{"unlock", "Unlock frees the lock: one who waits for it gets it.", unlockWakes},
	{"unlock twice", "Calling unlock again does nothing: it does not free the lock of the next holder.", unlockTwice},
	{"end of a wait", "Lock waits no longer than ctx, and returns an error for which errors.Is(err, ctx.Err()) holds.", endOfWait},
	{"nothing is left of a wait", "Who gave up waiting does not get the lock later.", nothingLeftOfWait},
	{"end of a context", "The lock is not freed before unlock is called, also when the context that it was taken with ends.", outlivesContext},
	{"other keys", "The lock of a key keeps nobody from locking another key.", otherKeysFree},
	{"work", "Load, Save and Delete work whoever holds the lock.", worksWhileLocked},
	{"absent key", "The key need not exist, and does not come into being.", locksAbsent},
}

// short is what a check waits to see that somebody does not get a lock.
const short = 100 * time.Millisecond

// lock takes a lock that is free.
func (p *place) lock(i int, key tokenstore.Key) (unlock func(), err error) {
	var got func()
	err = within(promptness, func() (err error) {
		got, err = p.tryLock(p.ctx, i, key) // not a shorter context: the lock may not depend on it, but that is for another rule
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("Lock of a key that is not locked: %w", err)
	}
	return got, nil
}

func (p *place) tryLock(ctx context.Context, i int, key tokenstore.Key) (unlock func(), err error) {
	locker, _ := p.handle(i).(tokenstore.Locker)
	return locker.Lock(ctx, key)
}

// locked checks that the i-th process does not get the lock of key.
func (p *place) locked(i int, key tokenstore.Key) error {
	ctx, cancel := context.WithTimeout(p.ctx, short)
	defer cancel()
	return within(promptness, func() error {
		unlock, err := p.tryLock(ctx, i, key)
		if err == nil {
			unlock()
			return errors.New("a second holder got the lock")
		}
		return nil // which error is for another rule
	})
}

func exclusion(p *place) error {
	key := newKey()
	var holders atomic.Int32
	return together(workers, func(i int) error {
		for range rounds {
			unlock, err := p.tryLock(p.ctx, i, key)
			if err != nil {
				return err
			}
			n := holders.Add(1)
			pause(p.ctx, time.Millisecond)
			holders.Add(-1)
			unlock()
			if n > 1 {
				return fmt.Errorf("%d held it at the same time", n)
			}
		}
		return nil
	})
}

func unlockWakes(p *place) error {
	key := newKey()
	unlock, err := p.lock(0, key)
	if err != nil {
		return err
	}
	got := make(chan error, 1)
	go func() {
		unlock, err := p.tryLock(p.ctx, 1, key)
		if err == nil {
			unlock()
		}
		got <- err
	}()
	pause(p.ctx, short)
	unlock()
	if err := within(promptness, func() error { return <-got }); err != nil {
		return fmt.Errorf("one who waits, after the unlock: %w", err)
	}
	return nil
}

func unlockTwice(p *place) error {
	key := newKey()
	first, err := p.lock(0, key)
	if err != nil {
		return err
	}
	first()
	first()
	second, err := p.lock(1, key)
	if err != nil {
		return err
	}
	defer second()
	first()
	return p.locked(2, key)
}

func endOfWait(p *place) error {
	key := newKey()
	unlock, err := p.lock(0, key)
	if err != nil {
		return err
	}
	defer unlock()
	ended := func(ctx context.Context) error {
		return within(promptness, func() error {
			_, err := p.tryLock(ctx, 1, key)
			if ctx.Err() == nil {
				return fmt.Errorf("Lock of a locked key returned at once, with the error %s", quote(err))
			}
			if !errors.Is(err, ctx.Err()) {
				return fmt.Errorf("Lock of a locked key returned the error %s instead of %s", quote(err), quote(ctx.Err()))
			}
			return nil
		})
	}
	expires, cancel := context.WithTimeout(p.ctx, short)
	defer cancel()
	if err := ended(expires); err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(p.ctx)
	time.AfterFunc(short, cancel)
	return ended(cancelled)
}

func nothingLeftOfWait(p *place) error {
	key := newKey()
	unlock, err := p.lock(0, key)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, short)
	defer cancel()
	_ = together(workers, func(i int) error {
		if unlock, err := p.tryLock(ctx, i, key); err == nil {
			unlock() // against another rule
		}
		return nil
	})
	unlock()
	pause(p.ctx, short) // time for who should have gone to take it
	unlock, err = p.lock(1, key)
	if err != nil {
		return fmt.Errorf("after others gave up waiting, and the holder unlocked: %w", err)
	}
	unlock()
	return nil
}

func outlivesContext(p *place) error {
	key := newKey()
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	unlock, err := p.tryLock(ctx, 0, key)
	if err != nil {
		return err
	}
	defer unlock()
	cancel()
	pause(p.ctx, short)
	return p.locked(1, key)
}

func otherKeysFree(p *place) error {
	key := newKey()
	unlock, err := p.lock(0, key)
	if err != nil {
		return err
	}
	defer unlock()
	for _, other := range []tokenstore.Key{
		newKey(),
		{Issuer: key.Issuer, ClientID: key.ClientID, Account: "somebody else"},
		{Issuer: key.Issuer, ClientID: "another client", Account: key.Account},
	} {
		unlock, err := p.lock(1, other)
		if err != nil {
			return fmt.Errorf("while another key is locked: %w", err)
		}
		unlock()
	}
	return nil
}

func worksWhileLocked(p *place) error {
	key := newKey()
	unlock, err := p.lock(0, key)
	if err != nil {
		return err
	}
	defer unlock()
	for i := range 2 {
		err := within(promptness, func() error {
			s := p.handle(i)
			_, old, _ := s.Load(p.ctx, key)
			v, err := s.Save(p.ctx, key, []byte("saved"), old)
			if err != nil {
				return fmt.Errorf("Save: %w", err)
			}
			if err := p.holds(i, key, "saved"); err != nil {
				return err
			}
			if err := s.Delete(p.ctx, key, v); err != nil {
				return fmt.Errorf("Delete: %w", err)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("while the key is locked: %w", err)
		}
	}
	return nil
}

func locksAbsent(p *place) error {
	key := newKey()
	unlock, err := p.lock(0, key)
	if err != nil {
		return err
	}
	if err := p.empty(1, key); err != nil {
		return fmt.Errorf("while it is locked: %w", err)
	}
	unlock()
	if err := p.empty(1, key); err != nil {
		return fmt.Errorf("after it was unlocked: %w", err)
	}
	return nil
}
