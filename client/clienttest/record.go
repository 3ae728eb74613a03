package clienttest

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// An Exchange is the record of one request to the server and of what became of
// it. It holds secrets: tokens, codes, passwords.
type Exchange struct {
	Number int       // 1 for the first request
	Time   time.Time // of arrival

	Method string
	Path   string      // below the issuer, such as TokenPath
	Query  url.Values  // of the URL
	Form   url.Values  // in the body; nil if that is no form
	Header http.Header // authentication included

	ClientID  string // of the client that authenticated itself, if any
	GrantType string // grant_type at the token endpoint

	// Account, Family and Generation tell what the request is about: the refresh
	// token that it presents, the access token, or what the login issued. A
	// family is all tokens of one login; the refresh token of the login is
	// generation 0, and each rotation adds one.
	Account    string
	Family     string
	Generation uint64

	RefreshToken string // presented at the token endpoint
	Issued       string // the refresh token in the answer, before Tamper and faults

	Outcome Outcome
	Error   string // the error code of a refusal
	Status  int    // of the answer; 0 if there is none yet, or was none
}

// An Outcome is what the server did with a request, whatever answer it sent.
type Outcome int

const (
	// Unprocessed: the server has not looked at it. It is delayed or held, or a
	// fault took its place.
	Unprocessed Outcome = iota
	// Accepted: the server did what was asked; it has issued tokens, for example.
	Accepted
	// Refused: it did not.
	Refused
	// Reused: it did not, because the refresh token, authorization code or device
	// code had been used before.
	Reused
)

// String returns the outcome as a word.
func (o Outcome) String() string {
	names := [...]string{Unprocessed: "unprocessed", Accepted: "accepted", Refused: "refused", Reused: "reused"}
	if o < 0 || int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}

// Exchanges returns the record of every request so far, in the order of arrival.
func (s *Server) Exchanges() []Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.exchanges)
}

// count returns how many exchanges are like this.
func (s *Server) count(like func(*Exchange) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for i := range s.exchanges {
		if like(&s.exchanges[i]) {
			n++
		}
	}
	return n
}

// refresh tells whether the request is one with grant_type=refresh_token.
func (x *Exchange) refresh() bool { return x.Path == TokenPath && x.GrantType == grantRefresh }

// Requests returns how many requests have come to path, whatever became of them.
func (s *Server) Requests(path string) int {
	return s.count(func(x *Exchange) bool { return x.Path == path })
}

// RefreshCount returns how many refresh requests (RFC 6749 section 6) have come,
// whatever became of them.
func (s *Server) RefreshCount() int { return s.count((*Exchange).refresh) }

// Presented returns how many refresh requests have come with this refresh token,
// whatever became of them: also those that a fault kept from the server.
func (s *Server) Presented(refreshToken string) int {
	return s.count(func(x *Exchange) bool { return x.refresh() && x.RefreshToken == refreshToken })
}

// Spent returns how often the server has issued tokens for this refresh token,
// whether or not the answer has arrived. Where tokens rotate and there is no
// grace, it is 0 or 1.
func (s *Server) Spent(refreshToken string) int {
	return s.count(func(x *Exchange) bool {
		return x.refresh() && x.RefreshToken == refreshToken && x.Outcome == Accepted
	})
}

// Reused returns how many refresh requests were refused because their refresh
// token had been used before. A client that does everything right leaves it at 0.
func (s *Server) Reused() int {
	return s.count(func(x *Exchange) bool { return x.refresh() && x.Outcome == Reused })
}

// FamilyAlive tells whether the server would accept a refresh token of this
// account now, of whatever login.
func (s *Server) FamilyAlive(account string) bool { return s.LiveRefreshToken(account) != "" }

// LiveRefreshToken returns the newest refresh token of this account that the
// server would accept now, or "" if there is none.
func (s *Server) LiveRefreshToken(account string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, now := s.opts.Load(), time.Now()
	for _, f := range slices.Backward(s.grants.families) {
		if f.account != account {
			continue
		}
		for _, t := range slices.Backward(f.tokens) {
			if t.verdict(o, now) == Accepted {
				return t.value
			}
		}
	}
	return ""
}
