//go:build unix

package openurl

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// detach puts cmd in a session of its own, so that the Ctrl-C which ends this
// program does not end the browser that it opened.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}

// chosen returns the command that $BROWSER names. Remote development tools set
// it where there is no display, to a helper that opens the page on the machine
// in front of the user. A value that only a shell could make sense of is not
// interpreted.
func chosen() (command []string, ok bool) {
	name := os.Getenv("BROWSER")
	if strings.ContainsAny(name, " \t\n:;%$&|<>()'\"`\\") || strings.Contains(name, "/") && !filepath.IsAbs(name) {
		return nil, false
	}
	path, err := exec.LookPath(name)
	return []string{path}, err == nil
}
