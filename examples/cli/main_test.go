package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// TestMain runs the tests; or, under another name, the program itself, or the browser
// of a user who agrees to everything.
func TestMain(m *testing.M) {
	switch name, _, _ := strings.Cut(filepath.Base(os.Args[0]), "."); name {
	case "regrant":
		os.Exit(run())
	case "browser":
		os.Exit(browse(os.Args[len(os.Args)-1]))
	}
	os.Exit(m.Run())
}

func browse(url string) int {
	resp, err := http.Get(url)
	if err != nil || resp.StatusCode != http.StatusOK {
		return 1
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return 0
}

// A home is a user on a machine of their own: nothing is configured there, there is
// no keychain, and the browser agrees to everything.
type home struct {
	t   *testing.T
	dir string
	env []string
}

func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{t: t, dir: t.TempDir()}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := h.path("bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"regrant", "browser"} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Skipf("this system has no symbolic links: %v", err)
		}
	}
	h.write("passphrase", "open sesame\n")
	h.env = []string{
		"HOME=" + h.dir, "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH"), "LANG=C.UTF-8",
		"BROWSER=" + filepath.Join(bin, "browser"), "REGRANT_PASSPHRASE_FILE=" + h.path("passphrase"),
		"GORACE=atexit_sleep_ms=0", // the race detector makes a process linger for a second
	}
	return h
}

func (h *home) path(names ...string) string {
	return filepath.Join(append([]string{h.dir}, names...)...)
}

func (h *home) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// with returns the same home with other variables.
func (h *home) with(variables ...string) *home {
	other := *h
	other.env = append(append([]string(nil), h.env...), variables...)
	return &other
}

// command returns the program with arguments, ready to be started.
func (h *home) command(args ...string) *exec.Cmd {
	// The program is given time to end by itself before the test is over.
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	h.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, h.path("bin", "regrant"), args...)
	cmd.Env = h.env
	cmd.Dir = h.dir
	return cmd
}

// An outcome is what a run of the program has left.
type outcome struct {
	out, err string
	code     int
}

// run runs the program to its end, without a terminal.
func (h *home) run(args ...string) outcome {
	h.t.Helper()
	return h.feed("", args...)
}

// feed is run with something to read.
func (h *home) feed(in string, args ...string) outcome {
	h.t.Helper()
	var out, errs bytes.Buffer
	cmd := h.command(args...)
	detach(cmd)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &errs
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		h.t.Fatal(err)
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// must is run for what has to work.
func (h *home) must(args ...string) outcome {
	h.t.Helper()
	o := h.run(args...)
	if o.code != 0 {
		h.t.Fatalf("regrant %v: exit code %d\n%s%s", args, o.code, o.out, o.err)
	}
	return o
}

// login logs in at s, to a store of files.
func (h *home) login(s *clienttest.Server, args ...string) outcome {
	h.t.Helper()
	return h.must(append([]string{"login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file"}, args...)...)
}

// parse reads JSON that the program has written.
func parse[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// contains fails the test unless text has all of these.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in:\n%s", part, text)
		}
	}
}
