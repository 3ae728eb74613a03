package main

import (
	"os/exec"
	"syscall"
)

// detach runs a command without a console (DETACHED_PROCESS).
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: 0x8} }
