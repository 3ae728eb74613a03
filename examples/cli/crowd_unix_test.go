//go:build unix

package main

import (
	"bytes"
	"context"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// A shell calls an API again and again until there is a file "stop", and says with which
// code a call has ended other than well.
func (h *home) shell(url string) (*exec.Cmd, *bytes.Buffer) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	h.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "sh", "-c", `while [ ! -e stop ]; do regrant call --fail --silent "$0" >/dev/null || echo "$?"; done`, url)
	cmd.Env, cmd.Dir = h.env, h.dir
	detach(cmd)
	said := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return cmd, said
}

// holder is the process that renews the grant of the user now.
func (h *home) holder() int {
	h.t.Helper()
	states := parse[[]struct{ Holder string }](h.t, h.must("status", "--json").out)
	if len(states) != 1 {
		h.t.Fatalf("there are %d accounts", len(states))
	}
	_, number, _ := strings.Cut(states[0].Holder, ":")
	pid, err := strconv.Atoi(number)
	if err != nil {
		h.t.Fatalf("the holder is %q", states[0].Holder)
	}
	return pid
}

func TestTenShellsAcrossExpiriesNeverAskForALoginAlthoughOneIsKilled(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) { o.AccessTokenLifetime, o.Grace = 2*time.Second, time.Minute })
	h.login(s)
	u := newUpstream(t, s, whereAmI)
	// The first renewal stops when the server has issued the new tokens, and before
	// anybody here has them: the worst moment to die.
	held := s.HoldAnswer(clienttest.TokenPath)
	type run struct {
		cmd  *exec.Cmd
		said *bytes.Buffer
	}
	var shells []run
	for range 10 {
		cmd, said := h.shell(u.URL + "/x")
		shells = append(shells, run{cmd, said})
	}
	<-held.Arrived()
	group, err := syscall.Getpgid(h.holder())
	if err == nil {
		err = syscall.Kill(-group, syscall.SIGKILL) // the shell, and what it runs
	}
	if err != nil {
		t.Fatal(err)
	}
	held.Release()
	for end := time.Now().Add(30 * time.Second); s.RefreshCount() < 3 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // the shells go on through more expiries
	}
	h.write("stop", "")

	killed := 0
	for _, shell := range shells {
		err := shell.cmd.Wait()
		switch {
		case shell.cmd.Process.Pid == group:
			killed++
		case err != nil || shell.said.Len() > 0:
			t.Errorf("a shell has seen %v: %s", err, shell.said)
		}
	}
	if killed != 1 {
		t.Errorf("%d shells were killed", killed)
	}
	if n := s.Requests(clienttest.AuthorizePath); n != 1 {
		t.Errorf("%d logins", n)
	}
	if n := s.RefreshCount(); n < 3 {
		t.Errorf("there were %d renewals only", n)
	}
	h.must("token", "--refresh")
}
