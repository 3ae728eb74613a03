// Package child runs another program that needs a token, and tells it where to get
// one that is fresh.
package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"

	"github.com/regrant/regrant/examples/cli/internal/exit"
)

// Run runs a program to its end, hands it the signals that this process gets, and
// returns its exit code as an [exit.StatusError].
func Run(command []string, environ []string, in, out, errs *os.File, terminal bool) error {
	cmd := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // the user names it, and it ends by itself or by signals
	cmd.Env = environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errs
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passed...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return NotStarted(command[0], err)
	}
	over := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if terminal && fromTerminal(s) {
					continue // it has sent it to the child, too
				}
				_ = cmd.Process.Signal(s) // it may have ended
			case <-over:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(over)
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.StatusError(code(cmd.ProcessState))
	}
	return err
}

// NotStarted is the error of a program that did not start, with the code that shells
// have for it.
func NotStarted(name string, err error) error {
	code := exit.NotExecutable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		code = exit.NotFound
	}
	return exit.With(code, "", fmt.Errorf("%s does not start: %w", name, err))
}
