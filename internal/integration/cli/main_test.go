//go:build unix

// Package cli_test uses the program of examples/cli as its users do: with a real
// keychain, from many shells at once, and at real authorization servers.
package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/internal/terminal"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// A machine has the program, a user with a home, and a browser.
type machine struct {
	t       *testing.T
	program string
	dir     string
	env     []string
	root    string // the directory that is / for the program; "": that of everybody
}

// program builds the program, once, as its users do: outside of the workspace.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "regrant-cli-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "regrant")
	return path, build(path)
})

func build(path string, flags ...string) error {
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", path}, flags, []string{"."})...)
	cmd.Dir = filepath.Join("..", "..", "..", "examples", "cli")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// newMachine returns a machine whose browser runs a command with the URL behind it.
// What it opens is counted.
func newMachine(t *testing.T, browser ...string) *machine {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, program: path, dir: t.TempDir()}
	m.write("browser", fmt.Sprintf("#!/bin/sh\necho opened >>%s\nexec %s \"$1\"\n", m.path("opened"), strings.Join(browser, " ")), 0o700)
	m.env = []string{"HOME=" + m.dir, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "BROWSER=" + m.path("browser"), "DBUS_SESSION_BUS_ADDRESS="}
	return m
}

// unlocked gives the machine a keychain that is unlocked.
func (m *machine) unlocked() *machine {
	m.t.Helper()
	bus := lab.StartSessionBus(m.t)
	bus.StartKeychain(m.t, true)
	m.env = append(m.env, "DBUS_SESSION_BUS_ADDRESS="+bus.Address)
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) write(name, text string, mode os.FileMode) {
	m.t.Helper()
	if err := os.WriteFile(m.path(name), []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
}

// opened is how often the browser was opened.
func (m *machine) opened() int {
	data, _ := os.ReadFile(m.path("opened"))
	return strings.Count(string(data), "opened\n")
}

// An outcome is what a run of the program has left.
type outcome struct {
	out, err string
	code     int
}

// open runs the program on a terminal that is wide enough for every path.
func (m *machine) open(args ...string) *terminal.Terminal {
	m.t.Helper()
	cmd := m.command(args...)
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	return terminal.Open(m.t, cmd, 150, 50)
}

// command returns the program, ready to be started without a terminal.
func (m *machine) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	m.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, m.program, args...)
	cmd.Env, cmd.Dir = m.env, m.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Chroot: m.root}
	return cmd
}

func (m *machine) run(args ...string) outcome {
	cmd := m.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exited, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return outcome{"", err.Error(), -1}
	} else if ok {
		return outcome{out.String(), errs.String(), exited.ExitCode()}
	}
	return outcome{out.String(), errs.String(), 0}
}

func (m *machine) must(args ...string) outcome {
	m.t.Helper()
	o := m.run(args...)
	if o.code != 0 {
		m.t.Fatalf("regrant %v: exit code %d\n%s%s", args, o.code, o.out, o.err)
	}
	return o
}
