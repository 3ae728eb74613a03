//go:build unix && !darwin

package openurl

import (
	"errors"
	"os"
	"os/exec"
)

func opener() ([]string, error) {
	if command, ok := chosen(); ok {
		return command, nil
	}
	if os.Getenv("WSL_DISTRO_NAME") != "" {
		// The browser of Windows, which reaches the loopback interface in here.
		for _, command := range [][]string{{"wslview"}, {"rundll32.exe", "url.dll,FileProtocolHandler"}} {
			if path, err := exec.LookPath(command[0]); err == nil {
				return append([]string{path}, command[1:]...), nil
			}
		}
	}
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, errors.New("there is no display (DISPLAY and WAYLAND_DISPLAY are not set), and BROWSER names no command")
	}
	path, err := exec.LookPath("xdg-open")
	if err != nil {
		return nil, errors.New("xdg-open is not installed, and BROWSER names no command")
	}
	return []string{path}, nil
}
