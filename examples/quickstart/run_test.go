package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is the quickstart, built for these tests.
var program string

// userArg makes this test binary a user: somebody who opens the URL of a login
// page, and agrees.
const userArg = "user"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == userArg {
		os.Exit(logIn(os.Args[2]))
	}
	dir, err := os.MkdirTemp("", "quickstart-test-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// build builds the program, with the race detector if the tests have it.
func build(dir string) error {
	program = filepath.Join(dir, "quickstart")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	args := []string{"build", "-o", program}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	return nil
}

func logIn(page string) int {
	resp, err := (&http.Client{Timeout: time.Minute}).Get(page)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s\n%s\n", page, body) // as a careless command would
	fmt.Fprintln(os.Stderr, page)
	return 0
}

// A run is one run of the program.
type run struct {
	cmd       *exec.Cmd
	temp      string // its directory for temporary files
	out, errs text
}

// start starts the program. The processes that it starts have the same standard
// error, so its end, which wait waits for, is the end of them all.
func start(t *testing.T, env []string, args ...string) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	r := &run{cmd: exec.CommandContext(ctx, program, args...), temp: t.TempDir()}
	r.cmd.Env = slices.Concat(os.Environ(), env, []string{"TMPDIR=" + r.temp, "TEMP=" + r.temp, "TMP=" + r.temp})
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.errs
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// wait waits until the program and all its processes have ended, and returns the
// exit status.
func (r *run) wait(t *testing.T) int {
	t.Helper()
	err := r.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Logf("%s %q: %v\n%s%s", filepath.Base(program), r.cmd.Args[1:], err, r.out.String(), r.errs.String())
	return r.cmd.ProcessState.ExitCode()
}

// until waits until the program has printed this.
func (r *run) until(t *testing.T, printed string) {
	t.Helper()
	for !strings.Contains(r.out.String(), printed) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("the program has not printed %q, but\n%s%s", printed, r.out.String(), r.errs.String())
		}
	}
}

// leaves tells what the program has left behind.
func (r *run) leaves(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(r.temp)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A text grows while it is read.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
