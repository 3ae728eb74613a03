//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// detach runs a command without a terminal, whoever runs the tests on one.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
