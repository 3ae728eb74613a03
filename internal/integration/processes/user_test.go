package processes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// program is the one that all processes of this package run: a user of the
// module who does as told.
const program = "user"

// An order tells a process what to do next.
type order string

const (
	call     order = "call"     // one request to the protected API
	hesitate order = "hesitate" // the same, but a token request takes its time to be sent
	work     order = "work"     // requests from several goroutines, until the next order, whatever it is
	rest     order = "rest"     // nothing
	ensure   order = "ensure"   // Ensure with a Browser whose user agrees at once
	linger   order = "linger"   // Ensure with a Browser whose user never comes to an end
)

// A report says what came of an order.
type report struct {
	Done     order
	Calls    int      // requests that the API has answered as it should
	Failures []string // and what happened to the others
	Opened   bool     // a login page was opened; sent at once

	// Of the last failure.
	LoginRequired bool // it was client.ErrLoginRequired
	Temporary     bool
	Code          string // the server's
}

// ok tells whether everything went well.
func (r *report) ok() bool { return r.Calls > 0 && len(r.Failures) == 0 }

func (r *report) add(err error) {
	if err == nil {
		r.Calls++
		return
	}
	r.Failures = append(r.Failures, err.Error())
	r.LoginRequired = errors.Is(err, client.ErrLoginRequired)
	if e, ok := errors.AsType[*client.Error](err); ok {
		r.Code, r.Temporary = e.Code, e.Temporary
	}
}

// processHeader tells the server which process a request is from.
const processHeader = "Lab-Process"

// hesitation is how long a token request stays in a process that hesitates.
const hesitation = 200 * time.Millisecond

// A sender sends the requests of a process.
type sender struct{ hesitates atomic.Bool }

func (s *sender) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.hesitates.Load() && r.URL.Path == clienttest.TokenPath {
		time.Sleep(hesitation)
	}
	r = r.Clone(r.Context())
	r.Header.Set(processHeader, strconv.Itoa(os.Getpid()))
	return http.DefaultTransport.RoundTrip(r)
}

func user(child *lab.Child) error {
	var c config
	if err := child.Receive(&c); err != nil {
		return err
	}
	cfg, err := c.client()
	if err != nil {
		return err
	}
	send := &sender{}
	cfg.HTTPClient = &http.Client{Transport: send}
	cl, err := client.New(cfg)
	if err != nil {
		return err
	}
	u := &process{child: child, api: c.Issuer + clienttest.APIPath, me: cl.Account(account)}
	for {
		var o order
		if err := child.Receive(&o); errors.Is(err, io.EOF) {
			return cl.Close()
		} else if err != nil {
			return err
		}
		r := report{Done: o}
		send.hesitates.Store(o == hesitate)
		switch o {
		case call, hesitate:
			r.add(u.call())
		case work:
			u.work(&r)
		case ensure:
			r.add(u.ensure(u.agree))
		case linger:
			r.add(u.ensure(u.dither))
		}
		if err := child.Report(r); err != nil {
			return err
		}
	}
}

// A process is the inside of one.
type process struct {
	child *lab.Child
	me    *client.Account
	api   string
}

func (u *process) call() error {
	resp, err := u.me.HTTPClient().Get(u.api)
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

// work calls from three goroutines, some ten times a second, until an order
// comes or the test has ended.
func (u *process) work(r *report) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		var next order
		_ = u.child.Receive(&next)
	}()
	var mu sync.Mutex
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			for {
				err := u.call()
				mu.Lock()
				r.add(err)
				mu.Unlock()
				select {
				case <-over:
					return
				case <-time.After(300 * time.Millisecond):
				}
			}
		})
	}
	callers.Wait()
}

// ensure logs in if need be, and calls the API.
func (u *process) ensure(open func(string) error) error {
	if err := u.me.Ensure(context.Background(), client.Browser{Open: open}); err != nil {
		return err
	}
	return u.call()
}

// agree is a user whose browser follows the server back to the program.
func (u *process) agree(url string) error {
	if err := u.child.Report(report{Opened: true}); err != nil {
		return err
	}
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// dither is a user who leaves the page open.
func (u *process) dither(string) error { return u.child.Report(report{Opened: true}) }
