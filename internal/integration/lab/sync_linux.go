package lab

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// FailSyncs lets the disk fail the processes when they flush what they have
// written: fsync and fdatasync return EIO, without having been carried out. stop
// ends that, and tells how often it was so. It takes strace and the rights to
// trace the processes, which are the service "strace".
func FailSyncs(t testing.TB, processes ...*Process) (stop func() int) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err == nil && os.Getuid() != 0 {
		err = errors.New("a process that is no child cannot be traced: run the tests as root")
	}
	Require(t, "strace", err)
	log := filepath.Join(t.TempDir(), "strace")
	args := []string{"-f", "-o", log, "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"}
	for _, p := range processes {
		args = append(args, "-p", strconv.Itoa(p.PID()))
	}
	cmd := exec.Command(strace, args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	attached, over := make(chan struct{}, len(processes)), make(chan struct{})
	var said []string
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			said = append(said, lines.Text())
			if strings.HasSuffix(lines.Text(), "attached") || strings.Contains(lines.Text(), " attached with ") {
				select {
				case attached <- struct{}{}:
				default: // a thread that was started since
				}
			}
		}
	}()
	end := func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // it lets go of the processes
		<-over
		_ = cmd.Wait()
	}
	t.Cleanup(end)
	for range processes {
		select {
		case <-attached:
		case <-over:
			t.Fatalf("strace ended at once: %q", said)
		case <-time.After(time.Minute):
			t.Fatal("strace has not attached to the processes")
		}
	}
	return func() int {
		end()
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(text, []byte("(INJECTED)"))
	}
}
