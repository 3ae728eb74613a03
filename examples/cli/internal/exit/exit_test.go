package exit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/tokenstore"
)

var (
	key  = tokenstore.Key{Issuer: "https://login.example.com", ClientID: "x", Account: "default"}
	dial = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
)

func TestEveryErrorSaysWhatToDoNext(t *testing.T) {
	for _, tc := range []struct {
		what string
		err  error
		code int
		next string
	}{
		{"anything else", errors.New("x"), exit.Failure, "--debug"},
		{"no login", &client.Error{Op: "token", Key: key, Err: client.ErrLoginRequired}, exit.LoginRequired, "regrant login"},
		{"no keychain", tokenstore.ErrUnavailable, exit.Store, "--store file"},
		{"another passphrase", fmt.Errorf("x: %w", tokenstore.ErrUnreadable), exit.Store, "another passphrase"},
		{"a deadline", context.DeadlineExceeded, exit.TryLater, "more time"},
		{"a deadline at the server", &client.Error{Op: "token", Key: key, Err: context.DeadlineExceeded}, exit.TryLater, "regrant doctor https://login.example.com"},
		{"an API out of reach", dial, exit.TryLater, "check the address and the network"},
		{"an API that hangs up", &url.Error{Op: "Get", URL: "https://api.example.com", Err: io.EOF}, exit.TryLater, "check the address"},
		{"an API without a name", &net.DNSError{Err: "no such host", Name: "api.example.com"}, exit.TryLater, "check the address"},
		{"a server out of reach", &client.Error{Op: "renew", Key: key, Temporary: true, Err: dial}, exit.TryLater, "check the network, and try again; regrant doctor https://login.example.com"},
		{"a server in trouble", &client.Error{Op: "renew", Key: key, Temporary: true, Err: errors.New("503")}, exit.TryLater, "try again in a moment; regrant doctor https://login.example.com"},
		{"a server that says when", &client.Error{Op: "renew", Key: key, Temporary: true, RetryAfter: 1100 * time.Millisecond, Err: errors.New("503")}, exit.TryLater, "try again in 2s"},
		{"a user who refuses", &client.Error{Op: "login", Key: key, Code: "access_denied"}, exit.Refused, "regrant login starts again"},
		{"a code that has ended", &client.Error{Op: "login", Key: key, Code: "expired_token"}, exit.Refused, "regrant login starts again"},
		{"another client secret", &client.Error{Op: "renew", Key: key, Code: "invalid_client"}, exit.Configuration, "has the client secret changed? regrant login --client-secret"},
		{"a scope that is not", &client.Error{Op: "renew", Key: key, Code: "invalid_scope"}, exit.Configuration, "--scope"},
		{"another refusal", &client.Error{Op: "renew", Key: key, Code: "unauthorized_client"}, exit.Configuration, "regrant doctor https://login.example.com"},
		{"metadata", &client.Error{Op: "discover", Key: key, Err: errors.New("x")}, exit.Configuration, "regrant doctor https://login.example.com"},
		{"a client without an issuer", &client.Error{Op: "use", Err: errors.New("x")}, exit.Configuration, "regrant doctor examines"},
		{"a load", &client.Error{Op: "load", Key: key, Err: errors.New("x")}, exit.Store, "regrant doctor examines the place"},
		{"a save, for now", &client.Error{Op: "save", Key: key, Temporary: true, Err: errors.New("x")}, exit.TryLater, "then try again"},
		{"a delete", &client.Error{Op: "delete", Key: key, Err: errors.New("x")}, exit.Store, "regrant doctor examines the place"},
		{"a list", &client.Error{Op: "list", Key: key, Err: errors.New("x")}, exit.Store, "regrant doctor examines the place"},
		{"a save to a full disk", &client.Error{Op: "save", Key: key, Temporary: true, Err: &fs.PathError{Op: "write", Path: "/grants/x", Err: syscall.ENOSPC}}, exit.TryLater, "make room on the disk of /grants/x"},
		{"a file that is not there", &fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist}, exit.Failure, "check the name /x"},
		{"a file of somebody else", exit.With(exit.Store, "", &fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission}), exit.Store, "check who owns /x, and its permissions"},
		{"a file that cannot be replaced", &os.LinkError{Op: "rename", Old: "/y", New: "/x", Err: syscall.EBUSY}, exit.Failure, "see to /x, and try again"},
		{"a hint of its own", exit.Usagef("read this", "x"), exit.Usage, "read this"},
		{"the hint of the cause", exit.With(exit.Store, "", fmt.Errorf("x: %w", exit.With(exit.Configuration, "read this", errors.New("x")))), exit.Store, "read this"},
	} {
		if code, next := exit.Of(tc.err); code != tc.code || !strings.Contains(next, tc.next) {
			t.Errorf("%s: code %d, want %d; next %q, want %q", tc.what, code, tc.code, next, tc.next)
		}
	}
}

func TestEveryCodeHasSomethingToDoNext(t *testing.T) {
	codes := []int{exit.NotExecutable, exit.NotFound}
	for _, c := range exit.Codes() {
		if c.Code != exit.OK && c.Code != exit.Interrupted {
			codes = append(codes, c.Code)
		}
	}
	seen := map[string]int{}
	for _, code := range codes {
		got, next := exit.Of(exit.With(code, "", errors.New("x")))
		if got != code || next == "" {
			t.Errorf("code %d is %d, and next is %q", code, got, next)
		}
		seen[next]++
	}
	if len(seen) < 8 {
		t.Errorf("one sentence is all that these have: %v", seen)
	}
	for _, err := range []error{nil, exit.StatusError(3), exit.SignalError{Signal: syscall.SIGINT}} {
		if _, next := exit.Of(err); next != "" {
			t.Errorf("%v is not for the program to explain: %q", err, next)
		}
	}
}
