// Package login is what a person sees of a login: the ways to log in, and what is
// said meanwhile.
package login

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// A NoBrowserError says that the login page could not be opened.
type NoBrowserError struct{ Err error }

// Error returns the text of the cause.
func (e *NoBrowserError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *NoBrowserError) Unwrap() error { return e.Err }

// Browser logs in in the browser of this machine. The URL is shown as well, for
// those whose browser does not open; without a terminal nobody would see it, and the
// login fails. While it waits, until end at most, wait says so. otherwise is the
// command for those whose browser is on another machine.
func Browser(u *ui.UI, wait *Wait, end time.Time, redirectURL string, show bool, otherwise string) client.Flow {
	return client.Browser{RedirectURL: redirectURL, Open: func(url string) error {
		if show {
			u.Err.Printf("Open this page in a browser of this machine, and log in:\n\n  %s\n\n", ui.Accent(url))
			wait.Begin(end)
			return nil
		}
		err := client.OpenBrowser(url)
		switch {
		case err == nil:
			u.Err.Printf("Your browser opens the login page. If it does not, open it yourself:\n\n  %s\n\n", ui.Faint(url))
		case u.Err.Terminal():
			u.Err.Printf("%s %s.\n\n", ui.Warn("!"), ui.Text(err.Error(), 300))
			u.Err.Printf("Open this page in a browser %s, and log in:\n\n  %s\n\n", ui.Bold("of this machine"), ui.Accent(url))
			u.Err.Printf("%s\n", ui.Faint("On another machine? ^C, and then: "+otherwise))
		default:
			return &NoBrowserError{err}
		}
		wait.Begin(end)
		return nil
	}}
}

// Code logs in in any browser. The URL that it ends up with is typed or pasted on
// the terminal, or comes from the standard input.
func Code(u *ui.UI) client.Flow {
	return client.Paste{Read: func(ctx context.Context, url string) (string, error) {
		u.Err.Printf("Open this page in any browser, and log in:\n\n  %s\n\n", ui.Accent(url))
		u.Err.Printf("Then copy the address of the page that it ends up with. It may fail to load: that does\nnot matter.\n\n")
		if u.Interactive() {
			return u.AskSecret(ctx, "Paste the address here (it is not shown): ")
		}
		return line(ctx, u.In)
	}}
}

// line reads a line, and gives up when ctx ends.
func line(ctx context.Context, in io.Reader) (string, error) {
	type result struct {
		text string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := bufio.NewReader(in).ReadString('\n')
		if errors.Is(err, io.EOF) && text != "" {
			err = nil
		}
		read <- result{strings.TrimSpace(text), err}
	}()
	select {
	case r := <-read:
		return r.text, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Password logs in by name and password, which are asked for on the terminal.
func Password(u *ui.UI) client.Flow {
	return client.Password{Read: func(ctx context.Context) (name, password string, err error) {
		if name, err = u.Ask(ctx, "User name: "); err == nil {
			password, err = u.AskSecret(ctx, "Password: ")
		}
		if errors.Is(err, ui.ErrNoTerminal) {
			err = exit.With(exit.Usage, "run it on a terminal", err)
		}
		return name, password, err
	}}
}

// Who is the user as the ID token names them, for people: "" if it does not.
func Who(ctx context.Context, me *client.Account) string {
	var claims struct {
		Name     string `json:"preferred_username"`
		Email    string `json:"email"`
		FullName string `json:"name"`
		Subject  string `json:"sub"`
	}
	if me.Claims(ctx, &claims) != nil {
		return "" // there is no ID token: plain OAuth
	}
	for _, s := range []string{claims.Email, claims.Name, claims.FullName, claims.Subject} {
		if s = ui.Name(s); s != "" {
			return s
		}
	}
	return ""
}
