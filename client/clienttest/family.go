package clienttest

import (
	"crypto/rand"
	"time"

	"golang.org/x/oauth2"
)

// grants is what the server has issued. Server.mu guards it.
type grants struct {
	families []*family // in the order of the logins
	refresh  map[string]*refreshToken
	access   map[string]*accessToken
	codes    map[string]*code
	devices  map[string]*device
	logins   map[string]*authRequest // shown on a login page
}

func newGrants() grants {
	return grants{
		refresh: map[string]*refreshToken{},
		access:  map[string]*accessToken{},
		codes:   map[string]*code{},
		devices: map[string]*device{},
		logins:  map[string]*authRequest{},
	}
}

// A family is one login and all tokens that came of it.
type family struct {
	id       string
	client   string
	account  string
	scope    []string
	loggedIn time.Time
	revoked  bool
	offline  bool            // what a refresh token needs was asked for; only of Options.Provider
	tokens   []*refreshToken // in the order of their issue
}

type refreshToken struct {
	value      string
	family     *family
	generation uint64
	issued     time.Time
	expires    time.Time // zero: never
	ended      bool      // revoked, or replaced by a newer sibling

	parent    *refreshToken // what it was exchanged for; nil: a login
	usedAt    time.Time     // first use; zero: not used
	next      *refreshToken // what it brought last; nil after use: burnt
	access    *accessToken  // issued with it, or for it
	committed bool          // what it brought has been used
}

type accessToken struct {
	value   string
	family  *family
	refresh *refreshToken // issued with it; nil: none
	scope   []string
	expires time.Time
	ended   bool
}

// login begins a family.
func (g *grants) login(client, account string, scope []string, now time.Time) *family {
	f := &family{id: rand.Text(), client: client, account: account, scope: scope, loggedIn: now}
	g.families = append(g.families, f)
	return f
}

// issueRefresh issues the successor of parent, or the first token of f.
func (g *grants) issueRefresh(f *family, parent *refreshToken, o *Options, now time.Time) *refreshToken {
	t := &refreshToken{value: rand.Text() + rand.Text(), family: f, parent: parent, issued: now}
	if parent != nil {
		t.generation = parent.generation + 1
	}
	if o.RefreshTokenLifetime > 0 {
		t.expires = now.Add(o.RefreshTokenLifetime)
	}
	f.tokens = append(f.tokens, t)
	g.refresh[t.value] = t
	return t
}

// issueAccess issues an access token beside t, which is nil if there is none.
func (g *grants) issueAccess(f *family, t *refreshToken, scope []string, o *Options, now time.Time) *accessToken {
	a := &accessToken{value: rand.Text(), family: f, refresh: t, scope: scope, expires: now.Add(o.AccessTokenLifetime)}
	if t != nil {
		t.access = a
	}
	g.access[a.value] = a
	return a
}

// verdict tells what the server thinks of t: Accepted, Refused, or Reused.
func (t *refreshToken) verdict(o *Options, now time.Time) Outcome {
	switch {
	case !t.usedAt.IsZero() && !t.usableAgain(o, now):
		return Reused
	case t.ended, t.family.revoked, !t.expires.IsZero() && !now.Before(t.expires), t.family.over(o, now):
		return Refused
	}
	return Accepted
}

func (f *family) over(o *Options, now time.Time) bool {
	return o.GrantLifetime > 0 && now.Sub(f.loggedIn) >= o.GrantLifetime
}

func (t *refreshToken) usableAgain(o *Options, now time.Time) bool {
	switch {
	case t.next == nil:
		return false
	case o.Rotation == CommitOnUse:
		return !t.committed && (o.Grace == 0 || now.Sub(t.usedAt) < o.Grace)
	case now.Sub(t.usedAt) >= o.Grace:
		return false
	}
	return o.InGrace != OneSlot || t.next.usedAt.IsZero()
}

// exchange spends t, whose verdict is Accepted, and returns what it brings: the
// next refresh token, which is t itself under NoRotation, and an access token.
func (g *grants) exchange(t *refreshToken, scope []string, o *Options, now time.Time) (*refreshToken, *accessToken) {
	t.commit()
	if o.Rotation == NoRotation || t.usedAt.IsZero() && now.Sub(t.issued) < o.RotateAfter {
		if o.profile != nil && !t.expires.IsZero() {
			t.expires = now.Add(o.RefreshTokenLifetime) // an idle lifetime, which begins again
		}
		return t, g.issueAccess(t.family, t, scope, o, now)
	}
	again := !t.usedAt.IsZero()
	if again && o.InGrace == SamePair {
		if a := t.next.access; a.alive(now) {
			return t.next, a
		}
		return t.next, g.issueAccess(t.family, t.next, scope, o, now)
	}
	if again && (o.Rotation == CommitOnUse || o.InGrace == OneSlot) {
		t.next.end()
	}
	if !again {
		t.usedAt = now
	}
	t.next = g.issueRefresh(t.family, t, o, now)
	return t.next, g.issueAccess(t.family, t.next, scope, o, now)
}

// burn consumes t without anything in return.
func (t *refreshToken) burn(now time.Time) { t.usedAt, t.next = now, nil }

// commit ends the token that t was exchanged for, where Rotation is CommitOnUse.
func (t *refreshToken) commit() {
	if t.parent != nil {
		t.parent.committed = true
	}
}

func (t *refreshToken) end() {
	t.ended = true
	if t.access != nil {
		t.access.ended = true
	}
}

func (a *accessToken) alive(now time.Time) bool {
	return !a.ended && !a.family.revoked && now.Before(a.expires)
}

// Grant logs the account in at the first client, without any request, and
// returns its tokens: for openid, offline_access and profile, with an id_token
// as Extra. In a client.FlowFunc it is a login that needs no browser. The account
// need not be one of Options.Users.
func (s *Server) Grant(account string) *oauth2.Token {
	return s.GrantTo(s.opts.Load().Clients[0].ID, account)
}

// GrantTo is Grant for another client.
func (s *Server) GrantTo(clientID, account string) *oauth2.Token {
	c := &call{s: s, opts: s.opts.Load(), now: time.Now()}
	s.mu.Lock()
	f := s.grants.login(clientID, account, []string{scopeOpenID, scopeOffline, scopeProfile}, c.now)
	f.offline = true
	is := c.issueLogin(f, "")
	s.mu.Unlock()
	return is.token(c)
}

// Revoke withdraws the consent of the account: every token of every login ends.
func (s *Server) Revoke(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.grants.families {
		if f.account == account {
			f.revoked = true
		}
	}
}

// RevokeToken ends the family of a refresh token. An unknown token is ignored.
func (s *Server) RevokeToken(refreshToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.grants.refresh[refreshToken]; t != nil {
		t.family.revoked = true
	}
}

// RevokeAccess ends every access token of the account before its time; refresh
// tokens go on. The API then answers 401.
func (s *Server) RevokeAccess(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.grants.access {
		if a.family.account == account {
			a.ended = true
		}
	}
}

// revokeRefresh ends t as the revocation endpoint does.
func (g *grants) revokeRefresh(t *refreshToken, how Revocation) {
	switch how {
	case RevokesToken:
		t.end()
	case RevokesLogins:
		for _, f := range g.families {
			if f.client == t.family.client && f.account == t.family.account {
				f.revoked = true
			}
		}
	default:
		t.family.revoked = true
	}
}
