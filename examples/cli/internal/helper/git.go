package helper

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// A GitRequest is what git tells a credential helper: git-credential(1), "INPUT/OUTPUT
// FORMAT". What it says beyond that is for others.
type GitRequest struct {
	Protocol, Host     string
	Username, Password string
}

// ReadGit reads a request: lines of key=value up to an empty one or the end.
func ReadGit(r io.Reader) (GitRequest, error) {
	var q GitRequest
	lines := bufio.NewScanner(io.LimitReader(r, most))
	for lines.Scan() && lines.Text() != "" {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if !ok {
			return q, fmt.Errorf("git says a line without an equals sign")
		}
		switch key {
		case "protocol":
			q.Protocol = value
		case "host":
			q.Host = value
		case "username":
			q.Username = value
		case "password":
			q.Password = value
		}
	}
	return q, lines.Err()
}

// Safe tells whether the token may be given for the request.
func (q GitRequest) Safe() error { return safe(q.Protocol, q.Host) }

// WriteGit gives git a password. A newer git does not use it, and no cache of git keeps
// it, after its end (password_expiry_utc, git 2.41); a refresh token is not git's
// business (oauth_refresh_token).
func WriteGit(w io.Writer, username, password string, expiry time.Time) error {
	text := "username=" + username + "\npassword=" + password + "\n"
	if !expiry.IsZero() {
		text += fmt.Sprintf("password_expiry_utc=%d\n", expiry.Unix())
	}
	_, err := io.WriteString(w, text)
	return err
}

// QuitGit tells git to give up rather than to ask the user for a password.
func QuitGit(w io.Writer) error {
	_, err := io.WriteString(w, "quit=1\n")
	return err
}
