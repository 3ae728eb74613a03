package processes_test

import (
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

func TestTenProcessesAtTheirFirstRunOpenOneBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(*clienttest.Options) {})
	w.as.FailNext(clienttest.AuthorizePath, clienttest.Fault{Delay: time.Second}, -1) // a user takes time
	all := make([]*lab.Process, 10)
	for i := range all {
		all[i] = lab.Start(t, program, w.config)
		all[i].Send(rest)
	}
	for _, p := range all { // once all are up
		p.Receive(new(report))
	}
	for _, p := range all {
		p.Send(ensure)
	}
	opened := 0
	for _, p := range all {
		var r report
		p.Receive(&r)
		if r.Opened {
			opened++
			p.Receive(&r)
		}
		if !r.ok() {
			t.Errorf("process %d: %q", p.PID(), r.Failures)
		}
	}
	if opened != 1 {
		t.Errorf("%d browsers were opened", opened)
	}
	if n := w.as.Requests(clienttest.AuthorizePath); n != 1 {
		t.Errorf("the user was asked to log in %d times", n)
	}
}

// The right to ask the user dies with its holder: a login page that nobody will
// ever finish does not keep the next program out.
func TestALoginWhoseProcessWasKilledIsBegunAnewByTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(*clienttest.Options) {})
	var r report
	first, second := lab.Start(t, program, w.config), lab.Start(t, program, w.config)
	first.Send(linger)
	if first.Receive(&r); !r.Opened {
		t.Fatalf("the first process opens no browser: %q", r.Failures)
	}
	second.Send(ensure)
	time.Sleep(time.Second) // it waits for the first meanwhile
	if n := w.as.Requests(clienttest.AuthorizePath); n != 0 {
		t.Errorf("%d browsers were opened beside the first", n)
	}
	first.Kill()
	killed := time.Now()
	if second.Receive(&r); !r.Opened {
		t.Fatalf("the second process opens no browser: %q", r.Failures)
	}
	t.Logf("the second process asked its user %v after the first was killed", time.Since(killed).Round(time.Millisecond))
	r = report{}
	if second.Receive(&r); !r.ok() {
		t.Errorf("the second process: %q", r.Failures)
	}
}
