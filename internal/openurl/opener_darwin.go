package openurl

import (
	"errors"
	"os"
)

func opener() ([]string, error) {
	if command, ok := chosen(); ok {
		return command, nil
	}
	if os.Getenv("SSH_CONNECTION") != "" {
		// open might work, on a screen that the user does not sit at.
		return nil, errors.New("this is an SSH session, and BROWSER names no command")
	}
	return []string{"/usr/bin/open"}, nil
}
