package processes_test

import (
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/fleet"
)

func TestTenProcessesAtTheirFirstRunOpenOneBrowser(t *testing.T) {
	t.Parallel()
	f := fleet.NewWithoutLogin(t, open, newDir(t), func(*clienttest.Options) {})
	f.AS.FailNext(clienttest.AuthorizePath, clienttest.Fault{Delay: time.Second}, -1) // a user takes time
	all := f.StartMany(10)
	for _, p := range all {
		p.Send(fleet.Ensure)
	}
	opened := 0
	for _, p := range all {
		var r fleet.Report
		p.Receive(&r)
		if r.Opened {
			opened++
			p.Receive(&r)
		}
		if !r.OK() {
			t.Errorf("process %d: %q", p.PID(), r.Failures)
		}
	}
	if opened != 1 {
		t.Errorf("%d browsers were opened", opened)
	}
	if n := f.AS.Requests(clienttest.AuthorizePath); n != 1 {
		t.Errorf("the user was asked to log in %d times", n)
	}
}

// The right to ask the user dies with its holder: a login page that nobody will
// ever finish does not keep the next program out.
func TestALoginWhoseProcessWasKilledIsBegunAnewByTheNext(t *testing.T) {
	t.Parallel()
	f := fleet.NewWithoutLogin(t, open, newDir(t), func(*clienttest.Options) {})
	var r fleet.Report
	first, second := f.Start(), f.Start()
	first.Send(fleet.Linger)
	if first.Receive(&r); !r.Opened {
		t.Fatalf("the first process opens no browser: %q", r.Failures)
	}
	second.Send(fleet.Ensure)
	time.Sleep(time.Second) // it waits for the first meanwhile
	if n := f.AS.Requests(clienttest.AuthorizePath); n != 0 {
		t.Errorf("%d browsers were opened beside the first", n)
	}
	first.Kill()
	killed := time.Now()
	if second.Receive(&r); !r.Opened {
		t.Fatalf("the second process opens no browser: %q", r.Failures)
	}
	t.Logf("the second process asked its user %v after the first was killed", time.Since(killed).Round(time.Millisecond))
	r = fleet.Report{}
	if second.Receive(&r); !r.OK() {
		t.Errorf("the second process: %q", r.Failures)
	}
}
