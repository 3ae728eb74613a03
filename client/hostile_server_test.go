package client_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/memhttp"
)

// A web program makes an Account per request and holds none of them.
func TestABackOffIsRememberedByNobodyInParticular(t *testing.T) {
	inService(t, 1, func(t *testing.T, s *service) {
		c := s.machine()
		time.Sleep(month)
		s.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"60"}}}, -1)
		for range 30 {
			_, err := c.Account(name(0)).Token(t.Context())
			if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary {
				t.Fatalf("Token: %v", err)
			}
			runtime.GC()
			runtime.GC() // a cleanup and what it frees take two
			time.Sleep(time.Second)
		}
		if n := s.as.RefreshCount(); n != 1 {
			t.Errorf("the server was asked %d times within the minute that it had asked for", n)
		}
	})
}

// A mood is what a server does with a connection once a request has arrived.
type mood struct {
	name string
	act  func(net.Conn)
}

// slowly writes text, a byte a second, until the client has had enough.
func slowly(conn net.Conn, text string) {
	for i := range len(text) {
		time.Sleep(time.Second)
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return
		}
	}
}

// on writes text again and again, until the client has had enough.
func on(conn net.Conn, text string) {
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

const answerHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

var moods = []mood{
	{"it never answers", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }},
	{"it closes at once", func(net.Conn) {}},
	{"it trickles its header", func(conn net.Conn) { slowly(conn, answerHead+strings.Repeat("X-More: more\r\n", 100)) }},
	{"it trickles its body", func(conn net.Conn) {
		_, _ = io.WriteString(conn, answerHead+"\r\n{")
		slowly(conn, strings.Repeat(" ", 1000))
	}},
	{"it ends in the middle", func(conn net.Conn) { _, _ = io.WriteString(conn, answerHead+"Content-Length: 1000\r\n\r\n{") }},
	{"its body has no end", func(conn net.Conn) {
		_, _ = io.WriteString(conn, answerHead+"\r\n{")
		on(conn, strings.Repeat(" ", 32<<10))
	}},
	{"its header has no end", func(conn net.Conn) {
		_, _ = io.WriteString(conn, answerHead)
		on(conn, strings.Repeat("X-More: more\r\n", 1000))
	}},
	{"it announces answers without an end", func(conn net.Conn) { slowly(conn, strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 500)) }},
	{"it speaks no HTTP", func(conn net.Conn) { on(conn, strings.Repeat("\x00\xff", 16<<10)) }},
	{"it is overloaded for years", func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 999999999\r\nContent-Length: 0\r\n\r\n")
	}},
}

// A turncoat is a server that does what it should until it is given a mood.
type turncoat struct {
	*clienttest.Server

	hostile *http.Transport
	mood    atomic.Pointer[mood]
	asked   atomic.Int64 // token requests that met its mood
}

func newTurncoat(t *testing.T, as *clienttest.Server) *turncoat {
	l := memhttp.Listen()
	x := &turncoat{Server: as, hostile: l.Transport()}
	x.hostile.MaxResponseHeaderBytes = 64 << 10 // 10 MiB if nobody says otherwise, which five hundred users feel
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				if r, err := http.ReadRequest(bufio.NewReader(conn)); err != nil || r.Body.Close() != nil {
					return
				}
				x.asked.Add(1)
				x.mood.Load().act(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		x.hostile.CloseIdleConnections()
		conns.Wait()
	})
	return x
}

func (x *turncoat) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == clienttest.TokenPath && x.mood.Load() != nil {
		return x.hostile.RoundTrip(r)
	}
	return x.HTTPClient().Transport.RoundTrip(r)
}

// heap is what is in use once the garbage is gone.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // sync.Pool gives back at the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// goroutines is how many there are, once those that have nothing to do any more have
// ended. runtime.NumGoroutine is wrong by up to 32 while a thread puts away those
// that have; a world that is stopped has no such thread.
func goroutines() int {
	synctest.Wait()
	runtime.ReadMemStats(new(runtime.MemStats))
	return runtime.NumGoroutine()
}

// manyUsers is how many users a test has, unless REGRANT_TEST_USERS says otherwise.
func manyUsers(t *testing.T, usually int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("REGRANT_TEST_USERS"), strconv.Itoa(usually)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Many users, each of whom tries again every few seconds. Nobody waits longer than
// they want to, and what goes on behind them ends as well.
func TestAHostileServerNeverMakesABackendHang(t *testing.T) {
	const patience, waves = 2 * time.Second, 10
	for _, m := range moods {
		users := manyUsers(t, 30)
		if strings.Contains(m.name, "has no end") { // which takes work, not time
			users /= 5
		}
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			inService(t, users, func(t *testing.T, s *service) {
				x := newTurncoat(t, s.as)
				s.cfg.HTTPClient = &http.Client{Transport: x}
				c := s.machine()
				if err := c.Discover(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(month)
				quiet := goroutines()
				x.mood.Store(&m)

				var callers sync.WaitGroup
				var most int
				var before int64
				for wave := range waves {
					for i := range users {
						callers.Go(func() {
							ctx, cancel := context.WithTimeout(t.Context(), patience)
							defer cancel()
							began := time.Now()
							_, err := c.Account(name(i)).Token(ctx)
							if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary || errors.Is(err, client.ErrLoginRequired) {
								t.Errorf("Token: %v", err)
							}
							if took := time.Since(began); took > patience {
								t.Errorf("a caller with %v to spare waited %v", patience, took)
							}
						})
					}
					time.Sleep(patience / 2)
					most = max(most, goroutines()-quiet)
					callers.Wait()
					time.Sleep(patience)
					if wave == waves/2 {
						before = heap()
					}
				}
				if grown := heap() - before; grown > 8<<20 {
					t.Errorf("memory has grown by %d KiB in the second half", grown>>10)
				}
				// A caller, a renewal, its heartbeat, and the connection at both ends with the transport's two.
				if most > 8*users {
					t.Errorf("%d goroutines for %d users", most, users)
				}
				t.Logf("%d token requests in %v, at most %d goroutines", x.asked.Load(), waves*2*patience, most)

				time.Sleep(2 * time.Minute)
				x.isOver(t, c, users, quiet)
			})
		})
	}
}

// isOver checks that nothing is left of the hostile server's doings, beside as many
// goroutines as there were before, and that everybody works once it is itself again.
func (x *turncoat) isOver(t *testing.T, c *client.Client, users, quiet int) {
	t.Helper()
	x.hostile.CloseIdleConnections()
	if left := goroutines() - quiet; left > 5 { // the runtime has some of its own for cleanups
		t.Errorf("%d goroutines are left", left)
	}
	x.mood.Store(nil)
	time.Sleep(2 * time.Hour) // no server is believed that it needs longer
	for i := range users {
		if _, err := c.Account(name(i)).Token(t.Context()); err != nil {
			t.Fatalf("once the server works again: %v", err)
		}
	}
}

// Discovery is one matter for all users, and fails for all of them in one request.
func TestUsersShareTheWaitForMetadata(t *testing.T) {
	const users = 100
	for fault, f := range map[string]struct {
		clienttest.Fault

		most int // requests in twenty seconds
	}{
		"giants":  {clienttest.Fault{Delay: time.Second / 10, Pad: 4 << 20}, 5},
		"delayed": {clienttest.Fault{Delay: time.Hour}, 2},
		"refused": {clienttest.Fault{Delay: time.Second / 10, Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"999999999"}}}, 1},
	} {
		t.Run(fault, func(t *testing.T) {
			inService(t, users, func(t *testing.T, s *service) {
				time.Sleep(month)
				c := s.machine()
				before := s.as.Requests(clienttest.DiscoveryPath)
				s.as.FailNext(clienttest.DiscoveryPath, f.Fault, -1)
				for range 10 {
					var callers sync.WaitGroup
					for i := range users {
						callers.Go(func() {
							ctx, cancel := context.WithTimeout(t.Context(), time.Second)
							defer cancel()
							if _, err := c.Account(name(i)).Token(ctx); err == nil || errors.Is(err, client.ErrLoginRequired) {
								t.Errorf("Token: %v", err)
							}
						})
					}
					callers.Wait()
					time.Sleep(time.Second)
				}
				if n := s.as.Requests(clienttest.DiscoveryPath) - before; n > f.most {
					t.Errorf("%d requests, want at most %d", n, f.most)
				}
			})
		})
	}
}

// The keys are not needed to renew, and are asked for all the same.
func TestKeysThatDoNotComeDoNotStopRenewals(t *testing.T) {
	const users = 50
	for fault, f := range map[string]clienttest.Fault{"giants": {Pad: 4 << 20}, "delayed": {Delay: time.Hour}} {
		t.Run(fault, func(t *testing.T) {
			inService(t, users, func(t *testing.T, s *service) {
				c := s.machine()
				if err := c.Discover(t.Context()); err != nil {
					t.Fatal(err)
				}
				before := s.as.Requests(clienttest.JWKSPath)
				s.as.FailNext(clienttest.JWKSPath, f, -1)
				for range 3 {
					time.Sleep(month)
					for i := range users {
						began := time.Now()
						if _, err := c.Account(name(i)).Token(t.Context()); err != nil || time.Since(began) > 0 {
							t.Fatalf("Token: %v, after %v", err, time.Since(began))
						}
					}
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if e, ok := s.last(client.IDTokenUnchecked); !ok || e.Duration > 15*time.Second {
					t.Errorf("the last event of an ID token: %+v", e)
				}
				if n := s.as.Requests(clienttest.JWKSPath) - before; n > 3*users {
					t.Errorf("%d renewals asked %d times for the keys", 3*users, n)
				}
			})
		})
	}
}
