package crash

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
)

// A Disk is a kind of store that keeps its grants in a directory.
type Disk struct {
	Open  fleet.Open
	Place func(t testing.TB, dir string) string // in or below dir
}

// SurvivesTrouble lets its directory fail between the commit of a server and the
// save: it is full, it is read-only, or nothing in it can be flushed.
func (d Disk) SurvivesTrouble(t *testing.T) {
	t.Helper()
	t.Run("a full disk", func(t *testing.T) {
		t.Parallel()
		dir := lab.SmallDisk(t, 512<<10)
		d.survives(t, dir, []string{"no space left", "disk is full"}, func(...*lab.Process) func() {
			filler := fill(t, dir)
			return func() {
				if err := os.Remove(filler); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
	t.Run("a disk that does not flush", func(t *testing.T) {
		t.Parallel()
		d.survives(t, t.TempDir(), []string{"input/output error", "disk I/O error"}, func(all ...*lab.Process) func() {
			stop := lab.FailSyncs(t, all...)
			return func() {
				if n := stop(); n == 0 {
					t.Error("nothing was flushed")
				} else {
					t.Logf("flushing failed %d times", n)
				}
			}
		})
	})
}

// SurvivesAReadOnlyDirectory makes its directory read-only between the commit of
// the server and the save.
func (d Disk) SurvivesAReadOnlyDirectory(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	d.survives(t, dir, []string{"read-only file system"}, func(...*lab.Process) func() { return lab.ReadOnly(t, dir) })
}

// SpendsNothingInAReadOnlyDirectory lets a process come to a directory that is
// read-only: it cannot write its intent, so it sends nothing. The next, to which
// it is writable, goes on.
func (d Disk) SpendsNothingInAReadOnlyDirectory(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	f := fleet.NewWithoutLogin(t, d.Open, d.Place(t, dir), func(*clienttest.Options) {})
	f.RenewAfter(time.Second)
	f.Login()
	p := f.Start()
	f.Expire()
	writable := lab.ReadOnly(t, dir)
	if r := f.Tell(p, fleet.Call); r.OK() || !r.Temporary || r.LoginRequired {
		t.Errorf("%+v", r)
	}
	if n := f.AS.RefreshCount(); n != 0 {
		t.Errorf("%d token requests", n)
	}
	writable()
	// Not the same process: SQLite writes nothing through a file that it has once
	// opened to be read.
	if r := f.Tell(f.Start(), fleet.Call); !r.OK() {
		t.Errorf("the directory is writable again: %q", r.Failures)
	}
	f.EachTokenWasSpentOnce()
	f.NothingIsLost()
}

// survives lets a holder renew the grant, and trouble begin when the server has
// rotated the refresh token: its successor, which cannot be saved, is the only
// one that lives, at a server that ends the grant if the old one comes again.
func (d Disk) survives(t *testing.T, dir string, says []string, begin func(...*lab.Process) (end func())) {
	t.Helper()
	f := fleet.NewWithoutLogin(t, d.Open, d.Place(t, dir), func(*clienttest.Options) {})
	f.RenewAfter(time.Second)
	f.Login()
	f.RenewAfter(10 * time.Minute)
	holder, other := f.Start(), f.Start()
	f.Expire()
	before := f.Stored()

	answer := f.AS.HoldAnswer(clienttest.TokenPath)
	holder.Send(fleet.Call)
	<-answer.Arrived()
	end := begin(holder, other)
	answer.Release()
	released := time.Now()

	// The caller gets the token all the same, after a while, and it works.
	var r fleet.Report
	if holder.Receive(&r); !r.OK() {
		t.Errorf("what the server has issued cannot be saved, and the call fails: %q", r.Failures)
	}
	waited := time.Since(released)
	for r.Unsaved == "" && time.Since(released) < patience { // the event may come after the answer
		time.Sleep(10 * time.Millisecond)
		r.Unsaved = f.Tell(holder, fleet.Rest).Unsaved
	}
	t.Logf("the call was answered after %v; the save failed: %s", waited.Round(time.Millisecond), r.Unsaved)
	if waited < 4*time.Second {
		t.Errorf("the caller got a token that is not saved after %v already", waited)
	}
	if !containsOneOf(r.Unsaved, says) {
		t.Errorf("the event of the failed save says %q, and not one of %q", r.Unsaved, says)
	}

	// Somebody else cannot write the intent, and so does not spend the old token.
	if r := f.Tell(other, fleet.Call); r.OK() || !r.Temporary || r.LoginRequired {
		t.Errorf("another process: %+v", r)
	} else if !containsOneOf(r.Failures[0], says) {
		t.Errorf("the error of another process is %q, and does not say one of %q", r.Failures[0], says)
	}
	if now := f.Stored(); now.Generation != before.Generation || now.RefreshToken != before.RefreshToken {
		t.Error("the record has changed")
	}

	// When the trouble is over, the record is saved.
	end()
	over := time.Now()
	for f.Stored().Generation == before.Generation {
		if time.Since(over) > patience {
			t.Fatal("the trouble is over, and the record is not saved")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("the record was saved %v after the trouble", time.Since(over).Round(time.Millisecond))
	holder.Close()
	f.EachTokenWasSpentOnce()
	f.NothingIsLost()
	if r := f.Tell(f.Start(), fleet.Call); !r.OK() {
		t.Errorf("a new process: %q", r.Failures)
	}
	if n := f.AS.RefreshCount(); n != 1 {
		t.Errorf("%d token requests, for one expiry", n)
	}
}

func containsOneOf(text string, words []string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// fill writes a file into dir until nothing more fits.
func fill(t *testing.T, dir string) (name string) {
	t.Helper()
	name = filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return name
}
