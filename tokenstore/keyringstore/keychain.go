package keyringstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zalando/go-keyring"
)

// A keychain is what is used of the one of the system. An account without an entry
// is a keyring.ErrNotFound.
type keychain interface {
	Get(service, account string) (string, error)
	Set(service, account, secret string) error
}

// system is the keychain of the system.
type system struct{}

func (system) Get(service, account string) (string, error) {
	if err := reachable(); err != nil {
		return "", err
	}
	return keyring.Get(service, account)
}

func (system) Set(service, account, secret string) error {
	if err := reachable(); err != nil {
		return err
	}
	return keyring.Set(service, account, secret)
}

const (
	// callLimit bounds how long a call of the keychain is waited for. People type
	// passwords meanwhile: three seconds were too short for gh (cli/cli#13787).
	callLimit = time.Minute

	// maxCalls bounds how many calls that never return a Store leaves behind.
	maxCalls = 4
)

// calls makes one call of the keychain at a time, and lets everybody who wants the
// same wait for that one, no longer than their context: a call cannot be ended, and
// each of them may put a prompt on the screen.
type calls struct {
	mu      sync.Mutex
	current *call
	running int // those that have not returned, given up or not
}

// A call is one that runs, about one account.
type call struct {
	account string
	began   time.Time
	done    chan struct{}
	secret  string // readable once done is closed
	err     error
}

// do returns what ask returns.
func (c *calls) do(ctx context.Context, account string, ask func() (string, error)) (string, error) {
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		running, err := c.join(account, ask)
		if err != nil {
			return "", err
		}
		limit := time.NewTimer(time.Until(running.began.Add(callLimit)))
		select {
		case <-running.done:
			limit.Stop()
			if running.account == account {
				return running.secret, running.err
			}
		case <-limit.C:
			return "", errHung
		case <-ctx.Done():
			limit.Stop()
			return "", fmt.Errorf("the keychain has not answered yet (does it ask for a password somewhere?): %w", ctx.Err())
		}
	}
}

var errHung = errors.New("the keychain does not answer (does it ask for a password somewhere?)")

// join returns the call that runs, or begins one.
func (c *calls) join(account string, ask func() (string, error)) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && time.Since(c.current.began) < callLimit {
		return c.current, nil
	}
	if c.running == maxCalls {
		return nil, errHung
	}
	k := &call{account: account, began: time.Now(), done: make(chan struct{})}
	c.current = k
	c.running++
	go func() {
		defer close(k.done)
		k.secret, k.err = ask()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.running--
		if c.current == k {
			c.current = nil
		}
	}()
	return k, nil
}

// pauses are those before another try.
var pauses = [...]time.Duration{25 * time.Millisecond, 150 * time.Millisecond}

// patiently tries again what may pass. Nobody waits for it longer than they want.
func patiently(ask func() (string, error)) (secret string, err error) {
	for _, pause := range pauses {
		if secret, err = ask(); err == nil || !passing(err) {
			return secret, err
		}
		<-time.After(pause)
	}
	return ask()
}
