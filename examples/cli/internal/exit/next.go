package exit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore"
)

// next is what to do about an error: what the place says that it comes from; what
// helps against its cause; or else what helps most who meets its code.
func next(code int, err error) string {
	var own *Error
	for rest := err; errors.As(rest, &own); rest = own.Err {
		if own.Hint != "" {
			return own.Hint
		}
	}
	var e *client.Error
	switch path := pathOf(err); {
	case errors.Is(err, client.ErrLoginRequired):
		return "regrant login"
	case errors.Is(err, tokenstore.ErrUnavailable):
		return "choose another place for the grants: --store file, or --store sqlite"
	case errors.Is(err, tokenstore.ErrUnreadable):
		return "is it another passphrase? If the record is of no use any more, regrant logout removes it"
	case path != "":
		return aboutFile(path, err)
	case errors.As(err, &e):
		return aboutServer(e)
	case fromNetwork(err):
		return "check the address and the network, and try again"
	}
	switch code {
	case Usage:
		return "regrant help"
	case TryLater:
		return "try again, and give it more time"
	case Configuration:
		return "regrant doctor examines the server and the profile"
	case Store:
		return "regrant doctor examines the place of the grants"
	case Refused:
		return "regrant login starts again"
	case HTTP:
		return "what the API has written says more; --include shows the header, too"
	case NotExecutable, NotFound:
		return "check the name of the program, and PATH"
	}
	return "--debug shows what goes over the wire, and regrant doctor examines the server and this machine"
}

// pathOf is the file that an error is about, "" if it is about none.
func pathOf(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Path
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.New
	}
	return ""
}

func aboutFile(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "check the name " + path
	case errors.Is(err, fs.ErrPermission):
		return "check who owns " + path + ", and its permissions"
	case errors.Is(err, syscall.ENOSPC):
		return "make room on the disk of " + path
	}
	return "see to " + path + ", and try again"
}

func aboutServer(e *client.Error) string {
	doctor := "regrant doctor"
	if e.Key.Issuer != "" {
		doctor += " " + e.Key.Issuer
	}
	switch {
	case ofStore(e):
		return "regrant doctor examines the place of the grants; then try again"
	case errors.Is(e, context.DeadlineExceeded):
		return "try again, and give it more time; " + doctor + " tells whether the server answers"
	case e.Code == "access_denied", e.Code == "expired_token":
		return "regrant login starts again"
	case e.Temporary && e.RetryAfter > 0:
		return fmt.Sprintf("try again in %v", (e.RetryAfter + time.Second - 1).Truncate(time.Second))
	case e.Temporary && fromNetwork(e):
		return "check the network, and try again; " + doctor + " examines the server"
	case e.Temporary:
		return "try again in a moment; " + doctor + " examines the server"
	case e.Code == "invalid_client":
		return "has the client secret changed? regrant login --client-secret asks for the new one"
	case e.Code == "invalid_scope":
		return "regrant login --scope NAME asks for other scopes"
	}
	return doctor + " examines the server"
}
