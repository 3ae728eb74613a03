package webfleet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
)

const program = "backend"

// A config is what a backend has to know: the same on every machine.
type config struct {
	Issuer     string
	Place      place
	Key        []byte // seals records and cookies
	Front      string // the address that the users' browsers know
	Users      int
	Background bool
}

// An order tells a backend what its jobs do.
type order string

const (
	once      order = "once"       // call the API once for every user
	work      order = "work"       // go on doing so, until the next order, whatever it is
	keepAlive order = "keep alive" // renew what nobody has used for half a year
	rest      order = "rest"       // nothing
)

const halfAYear = 180 * 24 * time.Hour

// A report says what came of an order.
type report struct {
	Addr          string   // the first report: where it serves
	Calls         int      // that the API has answered as it should
	Failures      int      // all others
	Sample        string   // one of them
	LoginRequired []string // users who were told to log in again
	Goroutines    int
	HeapKiB       uint64
}

// backend is what a process does.
func backend(child *lab.Child) error {
	var cfg config
	if err := child.Receive(&cfg); err != nil {
		return err
	}
	store, err := cfg.Place.open()
	if err != nil {
		return err
	}
	sealer, err := tokenstore.NewSealer(cfg.Key)
	if err != nil {
		return err
	}
	c, err := client.New(client.Config{
		Issuer: cfg.Issuer, ClientID: clienttest.ConfidentialClient, Auth: client.Secret(clienttest.ConfidentialSecret),
		Store: store, Sealer: sealer, RedirectURL: cfg.Front + "/callback", Background: cfg.Background,
		HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, pages(c)) }()
	b := &worker{child: child, c: c, api: cfg.Issuer + clienttest.APIPath, users: cfg.Users}
	if err := child.Report(report{Addr: l.Addr().String()}); err != nil {
		return err
	}
	for {
		var o order
		switch err := child.Receive(&o); {
		case errors.Is(err, io.EOF):
			return c.Close()
		case err != nil:
			return err
		}
		r := new(report)
		switch o {
		case once:
			b.once(r)
		case work:
			b.work(r)
		case keepAlive:
			if err := c.KeepAlive(context.Background(), halfAYear); err != nil {
				r.Failures, r.Sample = 1, err.Error()
			}
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		r.Goroutines, r.HeapKiB = runtime.NumGoroutine(), m.HeapAlloc>>10
		if err := child.Report(r); err != nil {
			return err
		}
	}
}

// pages are what the users' browsers see. Who the user is a real program knows by
// its sessions; here a cookie is believed.
func pages(c *client.Client) http.Handler {
	const userCookie, beganCookie = "user", "began"
	pid := strconv.Itoa(os.Getpid())
	user := func(r *http.Request) string {
		if cookie, err := r.Cookie(userCookie); err == nil {
			return cookie.Value
		}
		return ""
	}
	failed := func(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusBadGateway) }
	mux := http.NewServeMux()
	mux.HandleFunc("POST /connect", func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("user")
		http.SetCookie(w, &http.Cookie{Name: userCookie, Value: name, Path: "/"})
		http.SetCookie(w, &http.Cookie{Name: beganCookie, Value: pid, Path: "/"})
		if err := c.BeginLogin(w, r, name, client.AuthRequest{}); err != nil {
			failed(w, err)
		}
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		if _, err := c.FinishLogin(w, r, user(r)); err != nil {
			failed(w, err)
			return
		}
		began := ""
		if cookie, err := r.Cookie(beganCookie); err == nil {
			began = cookie.Value
		}
		_, _ = fmt.Fprintf(w, "%s %s", began, pid)
	})
	mux.HandleFunc("POST /disconnect", func(w http.ResponseWriter, r *http.Request) {
		if _, err := c.Account(user(r)).Logout(r.Context()); err != nil {
			failed(w, err)
		}
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

// userName is also the name at the authorization server.
func userName(i int) string { return fmt.Sprintf("user-%d", i) }

// A worker does the jobs of a process.
type worker struct {
	child *lab.Child
	c     *client.Client
	api   string
	users int
}

const (
	jobsAtOnce = 16
	// patience is how long a job waits for one call. A machine that has died in
	// the middle of a rotation is waited for no longer than its lease of 15 s.
	patience = 10 * time.Second
)

func (b *worker) call(user string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.api, nil)
	if err != nil {
		return err
	}
	resp, err := b.c.Account(user).HTTPClient().Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers %s", resp.Status)
	}
	return nil
}

// once calls for every user, in an order of its own.
func (b *worker) once(r *report) { b.each(slices.Values(rand.Perm(b.users)), r) }

// work goes on calling for one user or another, until an order comes or the test
// has ended.
func (b *worker) work(r *report) {
	var over atomic.Bool
	go func() {
		var next order
		_ = b.child.Receive(&next)
		over.Store(true)
	}()
	b.each(func(yield func(int) bool) {
		for !over.Load() && yield(rand.IntN(b.users)) {
			time.Sleep(5 * time.Millisecond) // two hundred calls a second
		}
	}, r)
}

// each calls for these users, some at a time.
func (b *worker) each(users iter.Seq[int], r *report) {
	jobs := make(chan string)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range jobsAtOnce {
		workers.Go(func() {
			for user := range jobs {
				err := b.call(user)
				mu.Lock()
				switch {
				case err == nil:
					r.Calls++
				case errors.Is(err, client.ErrLoginRequired):
					r.LoginRequired = append(r.LoginRequired, user)
					fallthrough
				default:
					r.Failures++
					r.Sample = err.Error()
				}
				mu.Unlock()
			}
		})
	}
	for i := range users {
		jobs <- userName(i)
	}
	close(jobs)
	workers.Wait()
}
