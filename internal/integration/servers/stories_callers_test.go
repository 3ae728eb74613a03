package servers_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/internal/integration/lab"
)

// caller is a process whose goroutines call the API until it is told to end.
const caller = "caller"

type callerConfig struct {
	Issuer, ClientID, API string
	Place                 place
}

type callerReport struct {
	Calls, Renewals int
	Failures        []string
}

func call(c *lab.Child) error {
	var cfg callerConfig
	if err := c.Receive(&cfg); err != nil {
		return err
	}
	conf, err := cfg.Place.in(client.Config{Issuer: cfg.Issuer, ClientID: cfg.ClientID})
	if err != nil {
		return err
	}
	report, err := callUntil(conf, cfg.API, 100*time.Millisecond, func() {
		var ignored any
		_ = c.Receive(&ignored) // the end
	})
	if err != nil {
		return err
	}
	return c.Report(report)
}

// callUntil is a program of four goroutines that call the API, until wait returns.
func callUntil(conf client.Config, api string, pause time.Duration, wait func()) (callerReport, error) {
	var report callerReport
	var renewals atomic.Int32
	conf.OnEvent = func(_ context.Context, e client.Event) {
		if e.Kind == client.Renewed {
			renewals.Add(1)
		}
	}
	owner, err := client.New(conf)
	if err != nil {
		return report, err
	}
	me := owner.Account("alice")
	ctx, stop := context.WithCancel(context.Background())
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for ctx.Err() == nil {
				err := asks(context.Background(), me, api)
				mu.Lock()
				report.Calls++
				if err != nil && len(report.Failures) < 5 {
					report.Failures = append(report.Failures, err.Error())
				}
				mu.Unlock()
				time.Sleep(pause)
			}
		})
	}
	wait()
	stop()
	all.Wait()
	if err := owner.Close(); err != nil {
		return report, err
	}
	report.Renewals = int(renewals.Load())
	return report, nil
}

// calls starts a caller: a process, or a program in the bubble.
func (p *program) calls() (enough func(), report func() callerReport) {
	p.t.Helper()
	api := p.r.endpoint("userinfo_endpoint")
	if p.r.web == nil {
		c := lab.Start(p.t, caller, callerConfig{p.r.issuer, p.cfg.ClientID, api, p.place})
		return func() { c.Send("enough") }, func() (report callerReport) {
			c.Receive(&report)
			c.Close()
			return report
		}
	}
	end, done := make(chan struct{}), make(chan callerReport, 1)
	var running sync.WaitGroup
	running.Go(func() {
		report, err := callUntil(p.cfg, api, p.r.lifetime/5, func() { <-end })
		if err != nil {
			report.Failures = append(report.Failures, err.Error())
		}
		done <- report
	})
	enough = sync.OnceFunc(func() { close(end) })
	p.t.Cleanup(func() { enough(); running.Wait() }) // a bubble panics if somebody is left in it
	return enough, func() callerReport { return <-done }
}

func tenExpiries(t *testing.T, r *running) string {
	const processes, expiries = 3, 10
	p := r.program(nil)
	p.login()
	var enough []func()
	var reports []func() callerReport
	for range processes {
		e, report := p.calls()
		enough, reports = append(enough, e), append(reports, report)
	}
	for began := time.Now(); p.stored().Generation < expiries; time.Sleep(r.lifetime / 5) {
		if d := time.Since(began); d > 60*r.lifetime {
			t.Fatalf("only %d renewals in %v", p.stored().Generation, d)
		}
	}
	for _, e := range enough {
		e()
	}
	calls, renewals := 0, 0
	for i, report := range reports {
		got := report()
		if got.Failures != nil || got.Calls == 0 {
			t.Errorf("caller %d: %d calls, failures: %q", i, got.Calls, got.Failures)
		}
		calls, renewals = calls+got.Calls, renewals+got.Renewals
	}
	// Each renewal adds one to the generation: two that began with the same token would show.
	if got := p.stored().Generation; int(got) != renewals {
		t.Errorf("%d renewals have brought generation %d", renewals, got)
	}
	if as := r.played; as != nil && (as.RefreshCount() != expiries || as.Reused() != 0) {
		t.Errorf("%d token requests at %d expiries, %d of them with a used token", as.RefreshCount(), expiries, as.Reused())
	}
	t.Logf("%d calls of %d processes, %d renewals", calls, processes, renewals)
	p.works()
	return ""
}
