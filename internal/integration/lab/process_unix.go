//go:build unix

package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Stop stops the process as SIGSTOP does: it keeps its locks and its
// connections, and does nothing. The signal stops one thread after the other:
// Stop returns when it has stopped all, as far as the system tells.
func (p *Process) Stop() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	time.Sleep(200 * time.Millisecond)
	for began := time.Now(); p.runs() && time.Since(began) < patience; {
		time.Sleep(10 * time.Millisecond)
	}
}

// runs tells whether a thread of the process is known not to have stopped.
func (p *Process) runs() bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.PID()))
	for _, name := range threads {
		status, err := os.ReadFile(name)
		if err == nil && !bytes.Contains(status, []byte("State:\tT")) {
			return true
		}
	}
	return false
}

// Continue lets a stopped process go on.
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("process %d: %v: %v", p.PID(), s, err)
	}
}
