package sim

import (
	"fmt"
	"time"
)

// A kind is how an authorization server treats a refresh token that is used.
type kind int

const (
	strictFamily  kind = iota // single use; reuse ends the family
	strict                    // single use; reuse is refused
	graceNew                  // within the grace, each use brings another pair
	graceSame                 // within the grace, each use brings the same refresh token
	oneSlot                   // within the grace another pair, and the pair before it dies
	commitOnUse               // the old token lives until a successor is used
	nonRotating               // the refresh token stays
	sameForAll                // whoever comes with an old token gets the current one
	burnsOnRefuse             // strictFamily; a request that is refused uses the token up
	kinds
)

func (k kind) String() string {
	return [...]string{
		"strict, reuse ends the family", "strict", "grace, new pairs", "grace, same pair", "grace, one slot",
		"commit on use", "no rotation", "same new token to everybody", "burns a token on a refused request",
	}[k]
}

type revocationScope int

const (
	revokesFamily revocationScope = iota
	revokesToken
	revokesLogins // all logins of the user: they are one session
)

// A family is all that came of one login.
type family struct {
	n       int
	dead    bool
	revoked bool // on purpose: nobody has lost it
	reused  *refreshToken
	tokens  []*refreshToken

	lostWrite bool // the store has lost a write of it
	ended     bool // by a logout
	// unconfirmed: a revocation has met a fault, so something may live on.
	unconfirmed bool
	lied        bool
	again       bool // somebody has imported it again
}

type refreshToken struct {
	value   string
	family  *family
	parent  *refreshToken
	used    bool
	usedAt  time.Time
	dead    bool
	next    []*refreshToken
	expired bool // somebody used it again after the grace

	overrun, late, twice, burnt, skewed bool // what may excuse its loss
	spends                              []*spend
}

// A server is the hostile authorization server.
type server struct {
	w        *world
	n        int
	families []*family
	tokens   map[string]*refreshToken
	access   map[string]*accessToken
}

type accessToken struct {
	of    *refreshToken
	until time.Time
}

// A grant is what the server issues.
type grant struct{ access, refresh string }

func (s *server) login() grant {
	if s.w.sc.sameLogin && len(s.families) > 0 {
		return s.issue(s.families[0].tokens[0])
	}
	f := &family{n: len(s.families) + 1}
	s.families = append(s.families, f)
	return s.issue(s.mint(f, nil))
}

func (s *server) mint(f *family, parent *refreshToken) *refreshToken {
	s.n++
	t := &refreshToken{value: fmt.Sprintf("refresh-SECRET-%d-%d", f.n, s.n), family: f, parent: parent}
	f.tokens = append(f.tokens, t)
	s.tokens[t.value] = t
	return t
}

func (s *server) issue(t *refreshToken) grant {
	s.n++
	at := fmt.Sprintf("access-SECRET-%d", s.n)
	s.access[at] = &accessToken{of: t, until: time.Now().Add(s.w.sc.lifetime)}
	return grant{at, t.value}
}

// renew answers a refresh request; ok is false for invalid_grant.
func (s *server) renew(value string) (g grant, ok bool) {
	t := s.tokens[value]
	if t == nil || !s.usable(t) {
		if t != nil && t.used {
			s.reuse(t)
		}
		return grant{}, false
	}
	s.commit(t)
	switch s.w.sc.kind {
	case nonRotating:
		g = s.issue(t)
		g.refresh = ""
		return g, true
	case sameForAll:
		if t.used {
			return s.issue(t.newest()), true
		}
	case graceSame:
		if t.used && !t.next[0].dead {
			return s.issue(t.next[0]), true
		}
	case oneSlot:
		for _, older := range t.next {
			older.dead = true
		}
	}
	if !t.used {
		t.used, t.usedAt = true, time.Now()
	}
	next := s.mint(t.family, t)
	t.next = append(t.next, next)
	return s.issue(next), true
}

func (t *refreshToken) newest() *refreshToken {
	for len(t.next) > 0 {
		t = t.next[len(t.next)-1]
	}
	return t
}

// usable tells whether the server would honour t now.
func (s *server) usable(t *refreshToken) bool {
	if t.family.dead || t.dead {
		return false
	}
	if !t.used {
		return true
	}
	switch s.w.sc.kind {
	case graceNew, graceSame:
		return time.Since(t.usedAt) < s.w.sc.grace
	case oneSlot: // not once the successor is in use
		return time.Since(t.usedAt) < s.w.sc.grace && !t.newestChild().used
	case commitOnUse, nonRotating, sameForAll:
		return true
	}
	return false
}

func (t *refreshToken) newestChild() *refreshToken { return t.next[len(t.next)-1] }

// reuse is what follows a refusal of a token that was used before.
func (s *server) reuse(t *refreshToken) {
	switch s.w.sc.kind {
	case strictFamily, burnsOnRefuse:
	case graceNew, graceSame, oneSlot:
		if time.Since(t.usedAt) >= s.w.sc.grace {
			t.expired = true
		} else if s.w.sc.kind == oneSlot {
			return
		}
		if !s.w.sc.familyEnds {
			return
		}
	default:
		return
	}
	if !t.family.dead && !t.dead {
		t.family.dead, t.family.reused = true, t
		s.w.note(nil, "the server ends family %d: %s was used again", t.family.n, t.value)
	}
}

// commit is the first use of t, at a server that keeps its parent until then.
func (s *server) commit(t *refreshToken) {
	if s.w.sc.kind != commitOnUse || t.parent == nil || t.parent.dead {
		return
	}
	t.parent.dead = true
	for _, sibling := range t.parent.next {
		sibling.dead = sibling != t
	}
}

// api tells whether an access token works.
func (s *server) api(access string) bool {
	at := s.access[access]
	if at == nil || at.of.family.dead || at.of.dead || time.Now().After(at.until) {
		return false
	}
	s.commit(at.of)
	return true
}

func (s *server) revoke(value string) {
	t := s.tokens[value]
	if t == nil {
		return
	}
	switch s.w.sc.revokes {
	case revokesToken: // and what it has replaced
		t.family.revoked = true
		for ; t != nil; t = t.parent {
			t.dead = true
		}
	case revokesFamily:
		t.family.dead, t.family.revoked = true, true
	case revokesLogins:
		s.revokeAll()
	}
}

// revokeAll ends every grant from outside: an administrator, a new password.
func (s *server) revokeAll() {
	for _, f := range s.families {
		f.dead, f.revoked = true, true
	}
}
