package openurl

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// detach has nothing to do: rundll32 is not a console program.
func detach(*exec.Cmd) {}

func opener() ([]string, error) {
	if os.Getenv("SSH_CONNECTION") != "" {
		// The browser would start on a desktop that nobody sees.
		return nil, errors.New("this is an SSH session")
	}
	// A full path, and no cmd.exe: the one could be planted in the current
	// directory, the other takes & in a URL for the next command.
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return nil, err
	}
	return []string{filepath.Join(system, "rundll32.exe"), "url.dll,FileProtocolHandler"}, nil
}
