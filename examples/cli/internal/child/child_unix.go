//go:build unix

package child

import (
	"os"
	"os/exec"
	"syscall"

	"github.com/regrant/regrant/examples/cli/internal/exit"
)

// passed are the signals that are for the program that runs.
var passed = []os.Signal{
	syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT,
}

// fromTerminal tells whether the keys of a terminal send s: to all that run in it.
func fromTerminal(s os.Signal) bool { return s == syscall.SIGINT || s == syscall.SIGQUIT }

// code is what a shell says of a program that has ended.
func code(p *os.ProcessState) int {
	if s, ok := p.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return exit.Interrupted + int(s.Signal())
	}
	return p.ExitCode()
}

// Become replaces this process by another program, whose exit code and signals are
// then its own. It returns only if that fails.
func Become(command, environ []string) error {
	path, err := exec.LookPath(command[0])
	if err == nil {
		err = syscall.Exec(path, command, environ) //nolint:gosec // the user names it
	}
	return NotStarted(command[0], err)
}
