// Package exit says how the program ends: with which code, and with what words
// about what to do next.
package exit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"syscall"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore"
)

// The codes. Scripts depend on them.
const (
	OK            = 0
	Failure       = 1
	Usage         = 2
	LoginRequired = 3
	TryLater      = 4
	Configuration = 5
	Store         = 6
	Refused       = 7
	HTTP          = 22
	NotExecutable = 126 // of a program that exec was to start, as shells have it
	NotFound      = 127
	Interrupted   = 128 // and the number of the signal
)

// Codes are what the codes mean, in their order, for help and manual.
func Codes() []struct {
	Code    int
	Meaning string
} {
	return []struct {
		Code    int
		Meaning string
	}{
		{OK, "all went well"},
		{Failure, "something else failed"},
		{Usage, "the command line is wrong"},
		{LoginRequired, "nobody is logged in, or the server has ended the grant: run regrant login"},
		{TryLater, "the server or the network is in trouble, or took too long: the same command may work later"},
		{Configuration, "the server, the client or the profile is set up wrongly: somebody has to change something"},
		{Store, "the place of the grants cannot be used: no keychain, a wrong passphrase, a damaged record"},
		{Refused, "the user said no, or took too long"},
		{HTTP, "the API answered with a status of 400 or above (call --fail)"},
		{Interrupted, "and the number of the signal that ended the program: 130 after ^C"},
	}
}

// An Error is an error with a code, and perhaps a hint of what to do next.
type Error struct {
	Code int
	Hint string // a sentence or a command; "": that of the cause, or of the code
	Err  error
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// With returns err with a code and a hint.
func With(code int, hint string, err error) error { return &Error{Code: code, Hint: hint, Err: err} }

// Usagef returns the error of a command line.
func Usagef(hint, format string, args ...any) error {
	return With(Usage, hint, fmt.Errorf(format, args...))
}

// A StatusError ends the program with the code of a child, without a word.
type StatusError int

// Error tells the code.
func (s StatusError) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// A SignalError is the cause of a context that a signal has ended.
type SignalError struct{ os.Signal }

// Error tells which signal.
func (s SignalError) Error() string { return "interrupted (" + s.String() + ")" }

// Code is what shells say of a program that a signal has ended.
func (s SignalError) Code() int {
	if n, ok := s.Signal.(syscall.Signal); ok {
		return Interrupted + int(n)
	}
	return Interrupted
}

// Of returns the code of an error, and the hint. The order is that of client.Error.
func Of(err error) (code int, hint string) {
	var (
		own    *Error
		status StatusError
		signal SignalError
	)
	switch {
	case err == nil:
		return OK, ""
	case errors.As(err, &signal):
		return signal.Code(), "" // who has sent it knows it
	case errors.As(err, &status):
		return int(status), "" // the child has said it
	case errors.As(err, &own):
		code = own.Code
	default:
		code = codeOf(err)
	}
	return code, next(code, err)
}

func codeOf(err error) int {
	var e *client.Error
	switch {
	case errors.Is(err, client.ErrLoginRequired):
		return LoginRequired
	case errors.Is(err, tokenstore.ErrUnavailable), errors.Is(err, tokenstore.ErrUnreadable):
		return Store
	case errors.Is(err, context.DeadlineExceeded):
		return TryLater
	case !errors.As(err, &e):
		if fromNetwork(err) {
			return TryLater // an API that is out of reach
		}
		return Failure
	case e.Code == "access_denied", e.Code == "expired_token":
		return Refused
	case e.Temporary:
		return TryLater
	case ofStore(e):
		return Store
	}
	return Configuration
}

func fromNetwork(err error) bool {
	return errors.As(err, new(*net.OpError)) || errors.As(err, new(*net.DNSError)) ||
		errors.As(err, new(*url.Error)) && errors.Is(err, io.EOF) // the connection broke before an answer
}

// ofStore tells whether it was the store that failed, and not the server.
func ofStore(e *client.Error) bool {
	return slices.Contains([]string{"load", "save", "delete", "list"}, e.Op)
}
