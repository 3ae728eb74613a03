package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A daemon is a server of a Debian package that a test has to itself: it runs as
// the system user of the package, below a directory of its own, and listens on a
// unix socket alone.
type daemon struct {
	user    string // that it runs as; "": that of the test, unlike those that refuse to run as root
	dir     string
	ready   string // is in a line of its log once it takes connections; "": it does not say
	stop    string // the signal that ends it: nobody needs its data any more
	problem error  // what is missing on this machine
}

func newDaemon(account, ready, stop string) *daemon {
	d := &daemon{user: account, ready: ready, stop: stop}
	if d.foreign() {
		_, d.problem = user.Lookup(account)
		_, err := exec.LookPath("setpriv")
		d.problem = errors.Join(d.problem, err)
	}
	return d
}

// foreign tells whether the daemon runs as another user than the test.
func (d *daemon) foreign() bool { return os.Getuid() == 0 && d.user != "" }

// program returns the path of a program, which may be in a directory that is not
// searched for commands.
func (d *daemon) program(name string, patterns ...string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(filepath.Join(pattern, name)); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	d.problem = errors.Join(d.problem, fmt.Errorf("there is no %s: install it", name))
	return name
}

// place makes the directory, which the daemon can reach, unlike those of
// T.TempDir.
func (d *daemon) place(t testing.TB) {
	t.Helper()
	dir, err := os.MkdirTemp("", "regrant-") //nolint:usetesting // of a short name, too: the path of a socket has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	d.dir = dir
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if !d.foreign() {
		return
	}
	u, err := user.Lookup(d.user)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
}

// as returns the command line that runs another as the user of the daemon.
func (d *daemon) as(command ...string) []string {
	if !d.foreign() {
		return command
	}
	return append([]string{"setpriv", "--reuid", d.user, "--regid", d.user, "--clear-groups", "--"}, command...)
}

// run runs a command to its end.
func (d *daemon) run(t testing.TB, command ...string) {
	t.Helper()
	line := d.as(command...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = d.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

// guard runs a server until its standard input ends. That is when the test stops
// it, or has died itself.
const guard = `stop=$1; shift; "$@" & server=$!; read -r _; kill -s "$stop" $server; wait $server`

// serve starts the server, waits until it takes connections, and ends it with the
// test, or when stop is called.
func (d *daemon) serve(t testing.TB, command ...string) (stop func()) {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", guard, "sh", d.stop}, d.as(command...)...)...)
	cmd.Dir = d.dir
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began, ready, over := time.Now(), make(chan struct{}), make(chan struct{})
	var log []string
	go func() {
		defer close(over)
		for lines, waiting := bufio.NewScanner(out), true; lines.Scan(); {
			log = append(log, lines.Text())
			if waiting && strings.Contains(lines.Text(), d.ready) {
				close(ready)
				waiting = false
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		_ = hold.Close()
		<-over
		_ = cmd.Wait() // the signal that has ended it is no news
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("the last that %s said:\n%s", filepath.Base(command[0]), strings.Join(log[max(0, len(log)-20):], "\n"))
		}
	})
	if d.ready == "" {
		return stop
	}
	select {
	case <-ready:
		t.Logf("%s takes connections after %v", filepath.Base(command[0]), time.Since(began).Round(time.Millisecond))
	case <-over:
		t.Fatalf("%s ended at once:\n%s", filepath.Base(command[0]), strings.Join(log, "\n"))
	case <-time.After(time.Minute):
		t.Fatalf("%s takes no connections after a minute", filepath.Base(command[0]))
	}
	return stop
}
