package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// program builds the program, once. It is the real one: what the tests are built with,
// the race detector for one, would make each of its many starts slow.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "regrant-cli-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), ".")
	cmd.Env = append(os.Environ(), "GOWORK=off") // as its users build it
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "cli"+exe), nil
})

var exe = map[string]string{"windows": ".exe"}[runtime.GOOS]

// TestMain runs the tests; or, under another name, the browser of a user who agrees to
// everything, or an agent that reads tokens for a long time.
func TestMain(m *testing.M) {
	switch name, _, _ := strings.Cut(filepath.Base(os.Args[0]), "."); name {
	case "browser":
		os.Exit(browse(os.Args[len(os.Args)-1]))
	case "agent":
		os.Exit(readTokens())
	}
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func browse(url string) int {
	resp, err := http.Get(url)
	if err != nil || resp.StatusCode != http.StatusOK {
		return 1
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return 0
}

// readTokens reads the token where exec lends it until it has seen three of them in
// each place.
func readTokens() int {
	file, socket := os.Getenv("REGRANT_TOKEN_FILE"), os.Getenv("REGRANT_TOKEN_SOCKET")
	inFile, inSocket := map[string]bool{}, map[string]bool{}
	for len(inFile) < 3 || len(inSocket) < 3 {
		text, err := os.ReadFile(file)
		if err == nil {
			inFile[string(text)] = true
			var c net.Conn
			if c, err = net.Dial("unix", socket); err == nil {
				text, err = io.ReadAll(c)
				_ = c.Close()
				inSocket[string(text)] = true
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		time.Sleep(100 * time.Millisecond)
	}
	_, inEnvironment := os.LookupEnv("REGRANT_TOKEN")
	fmt.Println(file, socket, inEnvironment)
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
	regrant, err := program()
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"regrant": regrant, "browser": self, "agent": self} {
		if err := os.Symlink(path, filepath.Join(bin, name+exe)); err != nil {
			t.Skipf("this system has no symbolic links: %v", err)
		}
	}
	h.write("passphrase", "bm90IGEgc2VjcmV0LCBidXQgMzIgYnl0ZXMgbG9uZyE=\n") // a key: nothing to derive
	h.env = []string{
		"HOME=" + h.dir, "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH"), "LANG=C.UTF-8",
		"BROWSER=" + filepath.Join(bin, "browser"), "REGRANT_PASSPHRASE_FILE=" + h.path("passphrase"),
		"GORACE=atexit_sleep_ms=0", // the race detector would make the browser linger for a second
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
	cmd := exec.CommandContext(ctx, h.path("bin", "regrant"+exe), args...)
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
	cmd := h.command(args...)
	detach(cmd)
	cmd.Stdin = strings.NewReader(in)
	return h.runCommand(cmd)
}

func (h *home) runCommand(cmd *exec.Cmd) outcome {
	h.t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		h.t.Fatal(err)
	}
	o := outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
	if i := strings.Index(o.err, "regrant: "); i >= 0 && !strings.Contains(o.err[i:], "   next: ") {
		h.t.Errorf("%v does not say what to do next:\n%s", cmd.Args, o.err)
	}
	return o
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

// advice is a command of the program in what it says, to the end of the line.
var advice = regexp.MustCompile(`regrant (login|import|doctor) .*`)

// obey runs the last command that the program has told its user to run, as a shell reads
// it.
func (h *home) obey(said string) outcome {
	h.t.Helper()
	all := advice.FindAllString(said, -1)
	if len(all) == 0 {
		h.t.Fatalf("no command is advised in:\n%s", said)
	}
	command, _, _ := strings.Cut(all[len(all)-1], " (or ")
	return h.runCommand(h.other("sh", "-c", command))
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

// secretsIn looks for a secret in all files below dir, but for the one that has to
// have it.
func secretsIn(dir, secret, except string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Base(path) == except {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte(secret)) {
			err = errors.New(path + " has the secret")
		}
		return err
	})
}
