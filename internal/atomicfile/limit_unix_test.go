//go:build unix

package atomicfile_test

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/regrant/regrant/internal/atomicfile"
)

// TestAWriteThatStopsInTheMiddleLeavesTheOldFile runs in a process that may not
// write files of more than a few bytes.
func TestAWriteThatStopsInTheMiddleLeavesTheOldFile(t *testing.T) {
	const inside = "REGRANT_FILE_LIMIT"
	if os.Getenv(inside) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := root(t)
	write(t, dir, "file", "first")
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = 100
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	err := atomicfile.Write(t.Context(), dir, "file", make([]byte, 1000))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err) // nothing could be reported with it
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("the error is %v", err)
	}
	holds(t, dir, "file", "first")
	contains(t, dir, "file")
}

func TestReadDoesNotWaitOnAPipe(t *testing.T) {
	dir := root(t)
	if err := syscall.Mkfifo(dir.Name()+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := atomicfile.Read(t.Context(), dir, "pipe", 100); err == nil {
		t.Error("a pipe was read")
	}
}
