// Package clienttest is an OAuth 2.0 and OpenID Connect authorization server for
// tests and demos: of package client, and of any program that holds a grant.
//
//	s := clienttest.NewServer(t)
//	c, err := client.New(s.Config())
//	me := c.Account("default")
//	err = me.Ensure(t.Context(), client.Browser{Open: s.Browser()})
//	…
//	if n := s.Reused(); n != 0 {
//		t.Errorf("%d refresh tokens were used twice", n)
//	}
//
// The server is real: it speaks HTTP over loopback ([NewServer]) or over
// connections in memory that fit into a [testing/synctest] bubble
// ([NewMemoryServer]); it issues signed ID tokens, rotates refresh tokens, and
// revokes a family when one is used twice (RFC 9700 section 4.14.2). It is strict
// with clients: what RFC 6749 forbids is refused.
//
// [Options] make it one of the other kinds of servers that exist, a provider of package
// client/provider by its name, or a hostile one; [Server.FailNext] injects faults on the wire; [Server.HoldRequest] and
// [Server.HoldAnswer] stop a request at the worst moment; [Server.Exchanges]
// tells what was sent, so that a test can say "this refresh token was spent
// once".
//
// It is no server for anything else than tests: every user agrees by default,
// and records, pages and errors hold secrets in the clear.
package clienttest
