//go:build unix

package lab

import "syscall"

// Stop stops the process as SIGSTOP does: it keeps its locks and its
// connections, and does nothing.
func (p *Process) Stop() { p.signal(syscall.SIGSTOP) }

// Continue lets a stopped process go on.
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("process %d: %v: %v", p.PID(), s, err)
	}
}
