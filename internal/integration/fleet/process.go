package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// An order tells a process what to do next.
type order string

const (
	call order = "call" // one request to the protected API
	work order = "work" // requests from several goroutines, until the next order, whatever it is
	rest order = "rest" // nothing
)

// A report says what came of an order.
type report struct {
	Calls    int      // requests that the API has answered as it should
	Failures []string // what happened to the others
}

// ok tells whether everything went well.
func (r *report) ok() bool { return r.Calls > 0 && len(r.Failures) == 0 }

func (r *report) add(err error) {
	if err == nil {
		r.Calls++
		return
	}
	r.Failures = append(r.Failures, err.Error())
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
	cl, err := client.New(cfg)
	if err != nil {
		return err
	}
	u := &user{child: child, me: cl.Account(account), api: c.Issuer + clienttest.APIPath}
	for {
		var o order
		if err := child.Receive(&o); errors.Is(err, io.EOF) {
			return cl.Close()
		} else if err != nil {
			return err
		}
		var r report
		switch o {
		case call:
			r.add(u.call())
		case work:
			u.work(&r)
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
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, u.api, nil)
	if err != nil {
		return err
	}
	resp, err := u.me.HTTPClient().Do(req)
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
func (u *user) work(r *report) {
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
