//go:build unix

package cli_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// A shell calls an API again and again until there is a file "stop", and says what has
// gone wrong.
type shell struct {
	cmd  *exec.Cmd
	said bytes.Buffer
}

// tenShells starts ten of them, each a session of its own.
func (m *machine) tenShells(api string) []*shell {
	m.t.Helper()
	all := make([]*shell, 10)
	for i := range all {
		s := &shell{cmd: m.command()}
		s.cmd.Path = "/bin/sh"
		s.cmd.Args = []string{"sh", "-c", `while [ ! -e stop ]; do "$0" call --fail --silent "$1" >/dev/null || echo "$?"; done`, m.program, api}
		s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
		if err := s.cmd.Start(); err != nil {
			m.t.Fatal(err)
		}
		all[i] = s
	}
	return all
}

// end ends the shells once there were enough renewals. Nothing may have gone wrong in
// any but the one that was killed (0: none was), and nobody was asked to log in.
func (m *machine) end(shells []*shell, killed int, enough func() bool) {
	m.t.Helper()
	for limit := time.Now().Add(time.Minute); !enough() && time.Now().Before(limit); {
		time.Sleep(50 * time.Millisecond) // the shells go on through more expiries
	}
	m.write("stop", "", 0o600)
	for _, s := range shells {
		err := s.cmd.Wait()
		if s.cmd.Process.Pid != killed && (err != nil || s.said.Len() > 0) {
			m.t.Errorf("a shell has seen %v: %s", err, s.said.String())
		}
	}
	if !enough() {
		m.t.Error("there were too few renewals")
	}
	if n := m.opened(); n != 1 {
		m.t.Errorf("the browser was opened %d times, want once", n)
	}
}

// holder is the process that renews the grant of the machine now.
func (m *machine) holder() int {
	m.t.Helper()
	var states []struct{ Holder string }
	if err := json.Unmarshal([]byte(m.must("status", "--json").out), &states); err != nil || len(states) != 1 {
		m.t.Fatalf("%v, %v", states, err)
	}
	_, number, _ := strings.Cut(states[0].Holder, ":")
	pid, err := strconv.Atoi(number)
	if err != nil {
		m.t.Fatalf("the holder is %q", states[0].Holder)
	}
	return pid
}

// TestTenShellsOutliveExpiriesAndTheDeathOfOne: the shell whose call renews the grant is
// killed, with the call, at the worst moment: the server has issued the new tokens, and
// nobody here has them. The server has a grace period; so nobody has to log in again.
func TestTenShellsOutliveExpiriesAndTheDeathOfOne(t *testing.T) {
	t.Parallel()
	s := clienttest.NewServer(t)
	s.Set(func(o *clienttest.Options) { o.AccessTokenLifetime, o.Grace = 2*time.Second, time.Minute })
	m := newMachine(t, "curl", "-sSL", "-o", "/dev/null").unlocked()
	m.must("login", s.Issuer(), "--client-id", clienttest.PublicClient)

	held := s.HoldAnswer(clienttest.TokenPath)
	shells := m.tenShells(s.URL(clienttest.APIPath))
	<-held.Arrived()
	group, err := syscall.Getpgid(m.holder())
	if err == nil {
		err = syscall.Kill(-group, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	held.Release()
	m.end(shells, group, func() bool { return s.RefreshCount() >= 4 })
	if n := s.Reused(); n != 0 {
		t.Errorf("%d refresh tokens were used twice outside of the grace period", n)
	}
	m.must("token", "--refresh")
}

// TestTenShellsAtAServerWithoutGrace: this server ends a grant as soon as a refresh token
// comes twice. Nobody is killed; so nobody sends one twice. What the server does to those
// who do, doctor finds out, with a login of its own.
func TestTenShellsAtAServerWithoutGrace(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, "AT_TTL=2")
	m := newMachine(t, lab.UserCommand(t)...).unlocked()
	m.must("login", p.Issuer, "--client-id", lab.PublicClient)
	p.Requests()

	shells := m.tenShells(p.URL("/me"))
	spent := map[string]int{}
	m.end(shells, 0, func() bool {
		for _, r := range p.Requests() {
			if r.Path != "/token" {
				continue
			}
			spent[r.Form().Get("refresh_token")]++
			if r.Status != http.StatusOK {
				t.Errorf("the server has refused a refresh: %d", r.Status)
			}
		}
		return len(spent) >= 3
	})
	for _, n := range spent {
		if n != 1 {
			t.Errorf("a refresh token was sent %d times", n)
		}
	}

	examine(t, m, map[string]string{
		"discovery": "describes itself", "pkce": "S256", "refresh": "offline_access", "device": "--device", "keychain": "has the key",
		"rotation": "replaces the refresh token", "reuse": "works once", "family": "ends the whole login",
	})
	m.must("token", "--refresh") // the user's own grant lives on
}

// examine lets doctor examine the server of the machine in depth, and checks what it
// finds, by check.
func examine(t *testing.T, m *machine, says map[string]string) {
	t.Helper()
	o := m.run("doctor", "--deep", "--yes", "--json")
	var all []struct{ Check, State, Text string }
	if err := json.Unmarshal([]byte(o.out), &all); err != nil || o.code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", o.code, err, o.out, o.err)
	}
	found := map[string]string{}
	for _, f := range all {
		found[f.Check] = f.Text
	}
	for check, text := range says {
		if !strings.Contains(found[check], text) {
			t.Errorf("doctor finds %q of %s, want %q", found[check], check, text)
		}
	}
}
