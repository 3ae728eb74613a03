package fleet

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

// An Order tells a process what to do next.
type Order string

// What a process does when it is told to. It sends a [Report] afterwards.
const (
	Call     Order = "call"     // one request to the protected API
	Hesitate Order = "hesitate" // the same, but a token request takes its time to be sent
	Work     Order = "work"     // requests from several goroutines, until the next order, whatever it is
	Rest     Order = "rest"     // nothing
	Ensure   Order = "ensure"   // Ensure with a Browser whose user agrees at once
	Linger   Order = "linger"   // Ensure with a Browser whose user never comes to an end
)

// A Report says what came of an order.
type Report struct {
	Calls    int      // requests that the API has answered as it should
	Failures []string // what happened to the others
	Opened   bool     // a login page was opened; sent at once
	Unsaved  string   // why what the server had issued could not be saved, if that was so for a while

	// Of the last failure.
	LoginRequired bool // it was client.ErrLoginRequired
	Temporary     bool
	Code          string // the server's
}

// OK tells whether everything went well.
func (r *Report) OK() bool { return r.Calls > 0 && len(r.Failures) == 0 }

func (r *Report) add(err error) {
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

// ProcessHeader tells the server the id of the process that a request is from.
const ProcessHeader = "Lab-Process"

// Hesitation is how long a token request stays in a process that hesitates.
const Hesitation = 200 * time.Millisecond

// A sender sends the requests of a process.
type sender struct{ hesitates atomic.Bool }

func (s *sender) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.hesitates.Load() && r.URL.Path == clienttest.TokenPath {
		time.Sleep(Hesitation)
	}
	r = r.Clone(r.Context())
	r.Header.Set(ProcessHeader, strconv.Itoa(os.Getpid()))
	return http.DefaultTransport.RoundTrip(r)
}

// run is what a process does.
func run(child *lab.Child, open Open) error {
	var c config
	if err := child.Receive(&c); err != nil {
		return err
	}
	cfg, err := c.client(open)
	if err != nil {
		return err
	}
	send, unsaved := &sender{}, &atomic.Pointer[string]{}
	cfg.HTTPClient = &http.Client{Transport: send}
	cfg.OnEvent = func(_ context.Context, e client.Event) {
		if e.Kind == client.SaveFailed {
			text := e.Err.Error()
			unsaved.Store(&text)
		}
	}
	cl, err := client.New(cfg)
	if err != nil {
		return err
	}
	u := &user{child: child, me: cl.Account(account), api: c.Issuer + clienttest.APIPath}
	for {
		var o Order
		if err := child.Receive(&o); errors.Is(err, io.EOF) {
			return cl.Close()
		} else if err != nil {
			return err
		}
		var r Report
		send.hesitates.Store(o == Hesitate)
		switch o {
		case Call, Hesitate:
			r.add(u.call())
		case Work:
			u.work(&r)
		case Ensure:
			r.add(u.ensure(u.agree))
		case Linger:
			r.add(u.ensure(u.dither))
		}
		if text := unsaved.Swap(nil); text != nil {
			r.Unsaved = *text
		}
		if err := child.Report(r); err != nil {
			return err
		}
	}
}

// A user is the inside of a process.
type user struct {
	child *lab.Child
	me    *client.Account
	api   string
}

func (u *user) call() error {
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

// work calls from three goroutines, some ten times a second, until an order comes
// or the test has ended.
func (u *user) work(r *Report) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		var next Order
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
func (u *user) ensure(open func(string) error) error {
	if err := u.me.Ensure(context.Background(), client.Browser{Open: open}); err != nil {
		return err
	}
	return u.call()
}

// agree is a user whose browser follows the server back to the program.
func (u *user) agree(url string) error {
	if err := u.child.Report(Report{Opened: true}); err != nil {
		return err
	}
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// dither is a user who leaves the page open.
func (u *user) dither(string) error { return u.child.Report(Report{Opened: true}) }
