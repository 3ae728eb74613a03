package memhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/internal/memhttp"
)

// serve must be called inside the bubble. The bubble cannot end while a
// goroutine of the server or of the client is left, so every test here is also
// a test for leaks.
func serve(t *testing.T, h http.HandlerFunc) *http.Client {
	l := memhttp.Listen()
	t.Cleanup(memhttp.Serve(l, h))
	return &http.Client{Transport: l.Transport()}
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestBothSchemesReachTheServerAndKeepTheirHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })
		for _, scheme := range []string{"http", "https"} {
			if got := get(t, c, scheme+"://as.example/"); got != "as.example" {
				t.Errorf("%s: the server saw host %q", scheme, got)
			}
		}
	})
}

func TestManyRequestsAtOnceAndLargeBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(body)
		})
		want := strings.Repeat("x", 256<<10)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				resp, err := c.Post("http://as.example/", "text/plain", strings.NewReader(want))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if got, err := io.ReadAll(resp.Body); err != nil || string(got) != want {
					t.Errorf("got %d bytes back, %v", len(got), err)
				}
			})
		}
		wg.Wait()
	})
}

// An answer to a request whose body was not read makes net/http close the
// connection, and wait half a second for the client to notice.
func TestStopWaitsForAConnectionThatLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) })
		resp, err := c.Post("http://as.example/", "text/plain", strings.NewReader(strings.Repeat("x", 1<<20)))
		if err == nil {
			resp.Body.Close()
		}
	})
}

func TestTimePassesWhileAServerIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Hour) })
		start := time.Now()
		get(t, c, "http://as.example/")
		if d := time.Since(start); d != time.Hour {
			t.Errorf("took %v, want exactly an hour", d)
		}
	})
}

func TestATimeoutEndsTheWaitAndTellsTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan time.Time, 1)
		c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			gone <- time.Now()
		})
		c.Timeout = 3 * time.Second
		start := time.Now()
		if resp, err := c.Get("http://as.example/"); err == nil {
			resp.Body.Close()
			t.Fatal("a request to a server that never answers succeeded")
		}
		if d := (<-gone).Sub(start); d != 3*time.Second {
			t.Errorf("the server learnt after %v that its client is gone, want 3s", d)
		}
	})
}

func TestAConnectionThatTheServerBreaksIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		resp, err := c.Get("http://as.example/")
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want io.EOF", err)
		}
	})
}

func TestDialAndAcceptEndWithTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memhttp.Listen()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: %v, want net.ErrClosed", err)
			}
		})
		synctest.Wait()
		for range 2 {
			if err := l.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		wg.Wait()
		_, err := l.Dial(t.Context(), "tcp", "as.example:443")
		var op *net.OpError
		if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Op != "dial" {
			t.Errorf("Dial: %v, want a dial error with net.ErrClosed", err)
		}
	})
}

func TestDialWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := memhttp.Listen().Dial(ctx, "tcp", "as.example:443"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
	})
}
