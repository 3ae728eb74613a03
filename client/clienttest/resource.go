package clienttest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// Protect returns a resource server (RFC 6750): it lets requests with a living
// access token pass to h, which learns by AccountFrom whose it is. Others get
// 401, and error="invalid_token" if there was a token at all.
//
// Options.API is the same thing on the server itself, in memory too.
func (s *Server) Protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, problem := s.admit(r)
		if a == nil {
			problem.write(w)
			return
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), accountKey{}, a.family.account)))
	})
}

type accountKey struct{}

// AccountFrom returns the account of the access token that Protect has let pass,
// or "" if there is none.
func AccountFrom(ctx context.Context) string {
	account, _ := ctx.Value(accountKey{}).(string)
	return account
}

// A challenge says why a request was not let in.
type challenge struct {
	status      int
	code        string
	description string
}

func (ch challenge) write(w http.ResponseWriter) {
	header := `Bearer realm="clienttest"`
	if ch.code != "" {
		header += `, error="` + ch.code + `", error_description="` + ch.description + `"`
	}
	w.Header().Set("WWW-Authenticate", header)
	http.Error(w, http.StatusText(ch.status), ch.status)
}

// admit returns the access token of a request, or what is wrong with it.
func (s *Server) admit(r *http.Request) (*accessToken, challenge) {
	values := r.Header.Values("Authorization")
	if len(values) > 1 {
		return nil, challenge{http.StatusBadRequest, "invalid_request", "more than one Authorization header"}
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, challenge{status: http.StatusUnauthorized} // RFC 6750 section 3.1: no error code
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.grants.access[token]
	if a == nil || !a.alive(time.Now()) {
		return nil, challenge{http.StatusUnauthorized, "invalid_token", "the access token is unknown, has expired or was revoked"}
	}
	if a.refresh != nil {
		a.refresh.commit()
	}
	return a, challenge{}
}

// protected is Protect with a record.
func (c *call) protected(h http.HandlerFunc) {
	a, problem := c.s.admit(c.r)
	if a == nil {
		c.refuse(problem.code)
		problem.write(c)
		return
	}
	var generation uint64
	if a.refresh != nil {
		generation = a.refresh.generation
	}
	c.about(a.family, generation)
	h(c, c.r.WithContext(context.WithValue(c.r.Context(), accountKey{}, a.family.account)))
}

// api serves Options.API.
func (s *Server) api(c *call) {
	h := c.opts.API
	if h == nil {
		h = http.HandlerFunc(echo)
	}
	c.protected(h.ServeHTTP)
}

// echo tells who was let in, and what was sent.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	err = json.NewEncoder(w).Encode(map[string]string{
		"account": AccountFrom(r.Context()), "method": r.Method, "path": r.URL.Path, "body": string(body),
	})
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// userInfo is the UserInfo endpoint (OpenID Connect Core 1.0 section 5.3).
func (s *Server) userInfo(c *call) {
	c.protected(func(_ http.ResponseWriter, r *http.Request) {
		account := AccountFrom(r.Context())
		c.json(http.StatusOK, map[string]any{"sub": account, "name": account, "email": account + "@example.com"})
	})
}
