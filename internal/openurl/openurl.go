// Package openurl opens a page in the user's own browser: the external user
// agent that RFC 8252 section 5 asks for.
package openurl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience is how long a command may take to tell that it failed. Some commands
// are the browser itself and run for as long as that does.
const patience = 2 * time.Second

// Open opens an http or https URL in the user's browser, and returns once a
// command has taken it: that command has ended well, or still runs after two
// seconds. It returns an error at once if no browser can be opened here, such as
// on a server without a display. A command that was started is left alone when
// ctx ends: by then it may be the browser.
func Open(ctx context.Context, rawURL string) error {
	if err := check(rawURL); err != nil {
		return err
	}
	command, err := opener()
	if err != nil {
		return fmt.Errorf("no browser can be opened here: %w", err)
	}
	if err := start(ctx, exec.Command(command[0], append(command[1:], rawURL)...)); err != nil {
		return fmt.Errorf("%s did not open the browser: %w", filepath.Base(command[0]), err)
	}
	return nil
}

// check makes sure that what becomes an argument of a command is a web page:
// not an option, and not one of the schemes that open files or start programs.
// Its errors do not repeat the URL, which may hold what is not for a log.
func check(rawURL string) error {
	// All that RFC 3986 section 2 has no place for, among it what the command
	// lines of Windows and of shell scripts give a meaning to.
	if strings.ContainsFunc(rawURL, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || strings.ContainsAny(rawURL, "\"<>\\^`{|}") {
		return errors.New("the URL to open holds characters that a URL cannot hold: percent-encode them (RFC 3986 section 2.1)")
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("the URL to open is not an absolute http or https URL")
	}
	return nil
}

// start runs cmd without a terminal, and reports how it ended if that is soon.
func start(ctx context.Context, cmd *exec.Cmd) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // whenever it ends: otherwise it would stay as a zombie
	patient := time.NewTimer(patience)
	defer patient.Stop()
	select {
	case err := <-ended:
		return err
	case <-patient.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
