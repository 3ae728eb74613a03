//go:build unix

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/terminal"
)

func TestExecRunsAProgramWithTheTokenAndItsExitCode(t *testing.T) {
	_, h := serveAPI(t, nil)
	token := strings.TrimSpace(h.must("token").out)
	o := h.run("exec", "--", "sh", "-c", `printf %s "$REGRANT_TOKEN"; exit 7`)
	if o.code != 7 || o.out != token || o.err != "" {
		t.Errorf("exit code %d, prints %q, says %q", o.code, o.out, o.err)
	}
	o = h.run("exec", "--env", "A", "-e", "B", "sh", "-c", `printf %s "$A$B${REGRANT_TOKEN-unset}"`)
	if o.out != token+token+"unset" {
		t.Errorf("the variables have %q", o.out)
	}
	for command, code := range map[string]int{"no-such-program": 127, h.path("passphrase"): 126} {
		if o := h.run("exec", command); o.code != code {
			t.Errorf("%s: exit code %d, want %d: %s", command, o.code, code, o.err)
		}
	}
	if o := h.run("exec"); o.code != 2 {
		t.Errorf("without a program: exit code %d", o.code)
	}
	h.must("logout")
	if o := h.run("exec", "sh", "-c", "echo ran"); o.code != 3 || o.out != "" {
		t.Errorf("without a grant: exit code %d, prints %q", o.code, o.out)
	}
}

func TestAProgramThatRunsForLongReadsFreshTokens(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) { o.AccessTokenLifetime = 2 * time.Second })
	h.login(s)
	if err := os.Mkdir(h.path("run"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := h.with("XDG_RUNTIME_DIR="+h.path("run")).must("exec", "--file", "--socket", "--", "agent")
	if fields := strings.Fields(o.out); len(fields) != 3 || filepath.Dir(filepath.Dir(fields[0])) != h.path("run") || fields[2] != "false" {
		t.Errorf("the program says %q", o.out)
	}
	if left, _ := os.ReadDir(h.path("run")); len(left) > 0 {
		t.Errorf("%v is left behind", left)
	}
	if n := s.Reused(); n != 0 {
		t.Errorf("%d refresh tokens were used twice", n)
	}
}

func TestSignalsAreForTheProgramThatRuns(t *testing.T) {
	_, h := serveAPI(t, nil)
	for _, args := range [][]string{nil, {"--file"}} {
		cmd := h.command(append(append([]string{"exec"}, args...), "--", "sh", "-c", `trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done`)...)
		detach(cmd)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		said, _ := io.ReadAll(out)
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 9 || string(said) != "caught\n" {
			t.Errorf("%v: exit code %d, says %q", args, code, said)
		}
	}
}

func TestCtrlCInATerminalReachesTheProgramOnce(t *testing.T) {
	_, h := serveAPI(t, nil)
	x := h.open(80, 24, "exec", "--file", "--", "sh", "-c", `n=0; trap 'n=$((n+1)); echo caught $n' INT; echo ready; sleep 1; sleep 0.3; exit 5`)
	x.See("ready")
	x.Press(terminal.CtrlC)
	x.See("caught 1")
	if code := x.Wait(); code != 5 {
		t.Errorf("exit code %d, want that of the program", code)
	}
	if strings.Contains(x.Text(), "caught 2") {
		t.Errorf("one ^C comes twice:\n%s", x.Text())
	}
}
