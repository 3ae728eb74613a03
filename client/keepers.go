package client

import (
	"maps"
	"runtime"
	"sync"
	"time"
	"weak"
)

// keepers finds the keeper of an account. There is one per account at most, and
// only while somebody uses it: an Account holds it, its work holds it, and a
// timer holds it until its access token and its back-off end, so that a web
// backend that makes an Account per request does not load the grant for each.
type keepers struct {
	mu   sync.Mutex
	byID map[string]weak.Pointer[keeper]
	most int // how many there were since byID was made
}

func (ks *keepers) find(c *Client, account string) *keeper {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if k := ks.byID[account].Value(); k != nil {
		return k
	}
	k := &keeper{client: c, vault: newVault(&c.cfg, c.cfg.key(account))}
	if ks.byID == nil {
		ks.byID = map[string]weak.Pointer[keeper]{}
	}
	ks.byID[account] = weak.Make(k)
	ks.most = max(ks.most, len(ks.byID))
	// A strong pointer would keep the Client for as long as the keeper, and what
	// its Config refers to: perhaps an Account of it, and so the keeper.
	all := weak.Make(ks)
	runtime.AddCleanup(k, func(account string) {
		if ks := all.Value(); ks != nil {
			ks.forget(account)
		}
	}, account)
	return k
}

// peek returns the keeper of an account that is in use, else nil.
func (ks *keepers) peek(account string) *keeper {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return ks.byID[account].Value()
}

// forget removes the entry of a keeper that is gone, unless there is a new one.
func (ks *keepers) forget(account string) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if ks.byID[account].Value() == nil {
		delete(ks.byID, account)
		ks.shrink()
	}
}

// shrink gives back the room of accounts that were forgotten, which a map keeps.
func (ks *keepers) shrink() {
	const small = 64
	if n := len(ks.byID); ks.most > small && n < ks.most/4 {
		left := make(map[string]weak.Pointer[keeper], n)
		maps.Copy(left, ks.byID)
		ks.byID, ks.most = left, n
	}
}

// silence makes every keeper stop handing out tokens and renewing by itself.
func (ks *keepers) silence() {
	ks.mu.Lock()
	var all []*keeper
	for _, p := range ks.byID {
		if k := p.Value(); k != nil {
			all = append(all, k)
		}
	}
	ks.mu.Unlock()
	for _, k := range all {
		k.mu.Lock()
		k.current.Store(nil)
		k.schedule()
		k.mu.Unlock()
	}
}

// maxHold bounds how long an account that nobody uses is remembered.
const maxHold = time.Hour

// schedule sets the timer of a keeper; k.mu is held. Being referenced by a timer
// is what keeps it alive. In the background mode it fires when the token should
// be renewed, else when there is nothing left to remember.
func (k *keeper) schedule() {
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	s, now := k.current.Load(), time.Now()
	if k.client.isClosing() {
		return
	}
	backOff := k.failed.until.Sub(now)
	hold := backOff
	if backOff > 0 {
		hold += maxBackOff // forgotten earlier, it would begin again with a short one
	}
	if s != nil {
		left := maxHold
		if s.end.wall != 0 {
			left = min(left, s.end.mono.Sub(now))
		}
		due := max(s.renew.mono.Sub(now), backOff)
		hold = max(hold, left)
		if k.client.cfg.Background && s.renew.wall != 0 && !k.failed.final && s.end.mono.Sub(now) > due {
			hold = due
		}
	}
	if hold > 0 {
		k.timer = time.AfterFunc(hold, k.wake)
	}
}
