package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/transport"
)

// The two paths that every request of a program goes: a token that is fresh, and
// a request that gets it.

const (
	tokenLength = 32
	longToken   = 8 << 10 // of a JWT with many groups
	perCore     = 64      // goroutines of a server that is busy
)

// snapshot is what a fresh token costs at least: an atomic load, a look at the
// clock and a comparison.
type snapshot struct{ current atomic.Pointer[oauth2.Token] }

func newSnapshot(t *oauth2.Token) *snapshot {
	s := new(snapshot)
	s.current.Store(t)
	return s
}

//go:noinline
func (s *snapshot) Token(context.Context) (*oauth2.Token, error) {
	t := s.current.Load()
	if !time.Now().Before(t.Expiry) {
		return nil, errors.New("expired")
	}
	return t, nil
}

// tokenContenders are the ways to a fresh token. The first is regrant, the second
// the floor, the third x/oauth2.
func tokenContenders(tb testing.TB) []contender {
	tb.Helper()
	ctx := tb.Context()
	get := static(tokenLength)
	fresh, _ := get.Token()
	me := freshAccount(tb, tokenLength)
	floor := newSnapshot(fresh)
	reuse := oauth2.ReuseTokenSource(nil, get)
	cached := google(get, nil)
	aws := awsCache(get, 0)
	bearer := smithy(get)
	app := msal(tb, get)
	return []contender{
		{"regrant", func() error { _, err := me.Token(ctx); return err }},
		{"floor: atomic load, time.Now, compare", func() error { _, err := floor.Token(ctx); return err }},
		{"x/oauth2 ReuseTokenSource", func() error { _, err := reuse.Token(); return err }},
		{"cloud.google.com/go/auth", func() error { _, err := cached.Token(ctx); return err }},
		{"aws-sdk-go-v2 CredentialsCache", func() error { _, err := aws.Retrieve(ctx); return err }},
		{"smithy-go bearer.TokenCache", func() error { _, err := bearer.RetrieveBearerToken(ctx); return err }},
		{"MSAL Go AcquireTokenByCredential", func() error { _, err := app.AcquireTokenByCredential(ctx, msalScopes); return err }},
	}
}

func freshToken(tb testing.TB, s *scale, r *Report) {
	all := tokenContenders(tb)
	alone, together := hot(tb, s, r, all)
	r.atMost("allocations", r.Rows[0].figure("allocs"), 0, "")
	r.atMost("sequential time to the floor's", alone.ratio(0, 1), 1.2, "×")
	r.atMost("parallel time to the floor's", together.ratio(0, 1), 1.2, "×")
	growth := func(i int) float64 { return together.of(i) / alone.of(i) }
	r.atMost(fmt.Sprintf("time of a call on %d cores to that on one", runtime.GOMAXPROCS(0)), growth(0), 1.1, "×")
	crowded := *s
	crowded.collect, crowded.rounds, crowded.slice = true, max(1, s.rounds/10), 10*s.slice // beside which the start of the goroutines is short
	many := interleave(tb, &crowded, perCore*runtime.GOMAXPROCS(0), all)
	for i := range all {
		r.Rows[i].Figures = append(r.Rows[i].Figures, Figure{fmt.Sprintf("%d goroutines per core", perCore), many.of(i), "ns"}, Figure{"to the floor, so many", many.ratio(i, 1), "×"})
	}
	r.notef("not to grow with the cores is ×1; ×0.1 is what a measurement errs. The floor's time of a call on %d cores is ×%s of that on one", runtime.GOMAXPROCS(0), number(growth(1)))
}

// nowhere answers without a network.
type nowhere struct{ resp *http.Response }

func (n nowhere) RoundTrip(*http.Request) (*http.Response, error) { return n.resp, nil }

// bare does what no bearer transport can do without, and nothing else. The header
// map can be had in two ways; maps.Clone is the faster one.
type bare struct {
	source *snapshot
	base   http.RoundTripper
	value  []string
	grown  bool // make and maps.Copy instead
}

func (f bare) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := f.source.Token(req.Context()); err != nil {
		return nil, err
	}
	sent := req.WithContext(req.Context())
	if f.grown {
		sent.Header = make(http.Header, len(req.Header)+1)
		maps.Copy(sent.Header, req.Header)
	} else {
		sent.Header = maps.Clone(req.Header)
	}
	sent.Header["Authorization"] = f.value
	return f.base.RoundTrip(sent)
}

func transportContenders(tb testing.TB) []contender {
	tb.Helper()
	base := nowhere{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	get := static(tokenLength)
	fresh, _ := get.Token()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "https://api.example.com/v1/things?limit=10", nil)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "example/1.0")
	req.Header.Set("X-Request-Id", "0123456789abcdef")
	value := []string{"Bearer " + fresh.AccessToken}
	var all []contender
	for _, c := range []struct {
		name string
		rt   http.RoundTripper
	}{
		{"regrant", freshAccount(tb, tokenLength).Transport(base)},
		{"floor: shallow copy, own header map (maps.Clone)", bare{newSnapshot(fresh), base, value, false}},
		{"x/oauth2 Transport", &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, get), Base: base}},
		{"cloud.google.com/go/auth httptransport", googleTransport(tb, get, base)},
		{"floor, with make and maps.Copy", bare{newSnapshot(fresh), base, value, true}},
		{"regrant, with Origins", &transport.Transport{
			Source: freshAccount(tb, tokenLength), Base: base, Origins: []string{"https://api.example.com"},
		}},
		{"regrant, a token of 8 KiB", freshAccount(tb, longToken).Transport(base)},
		{"x/oauth2, a token of 8 KiB", &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, static(longToken)), Base: base}},
	} {
		all = append(all, contender{c.name, func() error { _, err := c.rt.RoundTrip(req); return err }})
	}
	return all
}

func roundTrip(tb testing.TB, s *scale, r *Report) {
	alone, together := hot(tb, s, r, transportContenders(tb))
	r.atMost("bytes", r.Rows[0].figure("bytes"), 720, "B")
	r.atMost("allocations", r.Rows[0].figure("allocs"), 3, "")
	r.atMost("sequential time to x/oauth2's", alone.ratio(0, 2), 0.70, "×")
	r.atMost("parallel time to x/oauth2's", together.ratio(0, 2), 0.70, "×")
	r.atMost("sequential time to the floor's", alone.ratio(0, 1), 1.10, "×")
	r.atMost("parallel time to the floor's", together.ratio(0, 1), 1.10, "×")
}

// hot measures contenders that do all their work in the processor. The garbage
// collector runs between rounds: by itself it would run now in the turn of one and
// now in that of another, which weighs more than what they differ in. What it costs
// goes with the bytes, which have a column of their own.
func hot(tb testing.TB, s *scale, r *Report, all []contender) (alone, together timing) {
	tb.Helper()
	for _, c := range all {
		if err := c.call(); err != nil { // whatever it does the first time
			tb.Fatalf("%s: %v", c.name, err)
		}
	}
	collected := *s
	collected.collect = true
	alone = interleave(tb, &collected, 1, all)
	together = interleave(tb, &collected, runtime.GOMAXPROCS(0), all)
	for i, c := range all {
		objects, bytes := allocations(tb, c)
		r.row(c.name,
			Figure{"sequential", alone.of(i), "ns"}, Figure{"to x/oauth2", alone.ratio(i, 2), "×"}, Figure{"to the floor", alone.ratio(i, 1), "×"},
			Figure{"parallel", together.of(i), "ns"}, Figure{"to x/oauth2, parallel", together.ratio(i, 2), "×"}, Figure{"to the floor, parallel", together.ratio(i, 1), "×"},
			Figure{"bytes", bytes, "B"}, Figure{"allocs", objects, ""})
	}
	return alone, together
}

// figure returns the figure of that name.
func (r Row) figure(name string) float64 {
	for _, f := range r.Figures {
		if f.Name == name {
			return f.Value
		}
	}
	return -1
}
