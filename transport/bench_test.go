package transport_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/transport"
)

// freshSource is what a Source costs at least: a snapshot and a look at the
// clock.
type freshSource struct{ snapshot atomic.Pointer[oauth2.Token] }

func newFreshSource() *freshSource {
	s := new(freshSource)
	s.snapshot.Store(&oauth2.Token{AccessToken: "a-token-of-a-usual-length", TokenType: "Bearer", Expiry: time.Now().Add(time.Hour)})
	return s
}

func (s *freshSource) Token(context.Context) (*oauth2.Token, error) {
	tok := s.snapshot.Load()
	if !time.Now().Before(tok.Expiry) {
		return nil, errors.New("expired")
	}
	return tok, nil
}

// nowhere answers without a network.
type nowhere struct{ resp *http.Response }

func (n nowhere) RoundTrip(*http.Request) (*http.Response, error) { return n.resp, nil }

// floor does what no bearer transport can do without, and nothing else.
type floor struct {
	source *freshSource
	base   http.RoundTripper
	value  []string
}

func (f floor) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := f.source.Token(req.Context()); err != nil {
		return nil, err
	}
	sent := req.WithContext(req.Context())
	sent.Header = make(http.Header, len(req.Header)+1)
	maps.Copy(sent.Header, req.Header)
	sent.Header["Authorization"] = f.value
	return f.base.RoundTrip(sent)
}

func benchmarkRequest(tb testing.TB) *http.Request {
	req := newRequest(tb, http.MethodGet, "https://api.example.com/v1/things?limit=10", nil)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "example/1.0")
	req.Header.Set("X-Request-Id", "0123456789abcdef")
	return req
}

func BenchmarkRoundTrip(b *testing.B) {
	base := nowhere{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	source := newFreshSource()
	for _, bench := range []struct {
		name string
		rt   http.RoundTripper
	}{
		{"regrant", &transport.Transport{Source: source, Base: base}},
		{"regrant-origins", &transport.Transport{Source: source, Base: base, Origins: []string{"https://api.example.com"}}},
		{"floor", floor{source, base, []string{"Bearer a-token-of-a-usual-length"}}},
		{"x-oauth2", &oauth2.Transport{Source: oauth2.ReuseTokenSource(source.snapshot.Load(), nil), Base: base}},
	} {
		req := benchmarkRequest(b)
		b.Run(bench.name+"/sequential", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bench.rt.RoundTrip(req); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := bench.rt.RoundTrip(req); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func TestARequestWithAFreshTokenCostsThreeAllocations(t *testing.T) {
	for _, test := range []struct {
		name    string
		origins []string
	}{
		{"any origin", nil},
		{"listed origins", []string{"https://www.example.com", "https://api.example.com"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rt := &transport.Transport{
				Source:  newFreshSource(),
				Base:    nowhere{&http.Response{StatusCode: http.StatusOK, Body: http.NoBody}},
				Origins: test.origins,
			}
			req := benchmarkRequest(t)
			send := func() {
				if _, err := rt.RoundTrip(req); err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(100, send); n > 3 {
				t.Errorf("%v allocations, want at most 3", n)
			}

			// The whole process is counted, and the runtime allocates, too: the
			// least of a few rounds is what the requests cost.
			const rounds, runs = 5, 100
			least := uint64(math.MaxUint64)
			for range rounds {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for range runs {
					send()
				}
				runtime.ReadMemStats(&after)
				least = min(least, (after.TotalAlloc-before.TotalAlloc)/runs)
			}
			if least > 720 {
				t.Errorf("%d bytes, want at most 720", least)
			}
		})
	}
}
