package keyringstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/zalando/go-keyring"

	"github.com/regrant/regrant/tokenstore"
)

// errNoBus is why there is no Secret Service where there is no desktop.
var errNoBus = errors.New("there is no D-Bus session bus")

// advice is what can be done where there is no keychain.
const advice = "on a machine without a desktop, choose a filestore and tokenstore.NewPassphraseSealer, or run the program inside a session that has a keychain"

// explain makes of an error of the keychain one that says what to do. Nothing that
// the keychain says depends on the key, so all of it may be told.
func explain(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errHung):
		return fmt.Errorf("keyringstore: %w", err)
	case absent(err):
		return fmt.Errorf("%w: keyringstore: there is no keychain (%w): %s", tokenstore.ErrUnavailable, err, advice)
	case locked(err):
		return fmt.Errorf("keyringstore: the keychain is locked, or has no default keyring, and nobody unlocks it: unlock it, or log in to the desktop, and try again (%w)", err)
	}
	return fmt.Errorf("keyringstore: the keychain fails: %w", err)
}

// absent tells whether there is no keychain at all.
func absent(err error) bool {
	return errors.Is(err, keyring.ErrUnsupportedPlatform) || errors.Is(err, errNoBus) ||
		errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || // no such program; a bus that has gone
		errors.Is(err, syscall.ECONNREFUSED) && dialing(err) || noLogonSession(err) ||
		says(err, "was not provided by any .service files", // a bus without a Secret Service
			"couldn't determine address of session bus")
}

func dialing(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// locked tells whether the keychain is there and does not open.
func locked(err error) bool {
	return lockedStatus(runtime.GOOS, err) ||
		says(err, "failed to unlock correct collection", "locked object", "Secret.Error.IsLocked")
}

// lockedStatus understands the exit status of the tool of macOS: the low byte of
// errSecInteractionNotAllowed, errSecAuthFailed or errSecUserCanceled.
func lockedStatus(system string, err error) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	return ok && system == "darwin" && slices.Contains([]int{36, 51, 128}, e.ExitCode())
}

// passing tells whether the next try may succeed. The Secret Service says some of
// this while other processes write, and all of it while it restarts; "not found" is
// one of the things it says in passing.
func passing(err error) bool {
	return errors.Is(err, keyring.ErrNotFound) || errors.Is(err, syscall.EPIPE) ||
		says(err, "Object does not exist", "No such object", "No such interface", "disconnected from message bus",
			"Did not receive a reply", "NoReply", "connection closed", "EOF")
}

// says looks into the text of an error: those of D-Bus have no type that could be
// seen from here.
func says(err error, parts ...string) bool {
	text := err.Error()
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}
