package transport

import (
	"context"
	"fmt"

	"golang.org/x/oauth2"
)

// A Source gives the access token to send. It is safe for concurrent use.
type Source interface {
	// Token returns a token that works, or an error. It waits no longer than
	// ctx, which is the context of the request that needs the token; a Source
	// may also learn from it whose token that is.
	//
	// The token is shared: neither the Source nor its caller changes it. A
	// Source that returns the same strings while a token is current makes
	// requests cheap.
	Token(ctx context.Context) (*oauth2.Token, error)
}

// A Refresher is a Source that can be told that a server refused its token,
// which may be revoked long before it expires.
type Refresher interface {
	Source

	// Refresh returns a new token, unless rejected is no longer the current
	// one: then the current one. So many requests that are refused with one
	// token cause one renewal. A nil rejected asks for a new token in any case.
	//
	// It waits no longer than ctx.
	Refresh(ctx context.Context, rejected *oauth2.Token) (*oauth2.Token, error)
}

// FromOAuth2 makes a Source of what golang.org/x/oauth2 calls one. It adds no
// cache: those of oauth2.Config and clientcredentials.Config have theirs.
//
// An oauth2.TokenSource takes no context (golang/oauth2#262). While it renews a
// token, the end of a request's context does not end the wait.
//
// FromOAuth2(nil) is nil, which a Transport reports.
func FromOAuth2(ts oauth2.TokenSource) Source {
	if ts == nil {
		return nil
	}
	return oauth2Source{ts}
}

type oauth2Source struct{ ts oauth2.TokenSource }

// Format keeps a token that ts holds out of every text.
func (oauth2Source) Format(s fmt.State, _ rune) { fmt.Fprint(s, "oauth2.TokenSource (not shown)") }

func (s oauth2Source) Token(ctx context.Context) (*oauth2.Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.ts.Token()
}
