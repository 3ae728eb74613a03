package command

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// A farewell is what became of a logout.
type farewell struct {
	Profile string `json:"profile"`
	Account string `json:"account,omitempty"` // "": it is about the client secret alone
	Deleted bool   `json:"deleted"`
	Revoked bool   `json:"revoked"`
	Secret  bool   `json:"client_secret_deleted,omitempty"` // that was kept, for nobody is logged in any more
	Error   string `json:"error,omitempty"`
}

func (a *app) logout() *cobra.Command {
	var all, browser bool
	c := &cobra.Command{
		Use:   "logout",
		Short: "Revoke a grant at the server and delete it here",
		Long: `Revoke the grant of an account at the server, and delete it here whatever the server
answers. If it may not know, that is said, and the exit code is 1. With --all: all
accounts of all profiles, or of one with --profile.

With the last account of a profile goes the client secret that is kept for it; the next
login asks for it. The profile itself stays: it has no secret.`,
		Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			if !all {
				p, err := a.load()
				if err != nil {
					return err
				}
				return a.logOutOf(ctx, browser, map[string][]string{p.Name: {a.accountName()}}, p)
			}
			all, err := a.profiles()
			if err != nil {
				return err
			}
			accounts := map[string][]string{}
			var profiles []profile.Profile
			var errs []error
			for p, err := range all {
				if err == nil {
					accounts[p.Name], err = a.names(ctx, p)
				}
				if err != nil {
					errs = append(errs, of(p, err))
					continue
				}
				profiles = append(profiles, p)
			}
			return errors.Join(failures(errs), a.logOutOf(ctx, browser, accounts, profiles...))
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all accounts")
	c.Flags().BoolVar(&browser, "browser", false, "end the session in your browser, too, if the server can")
	return c
}

// logOutOf logs out of accounts, by their profile, and reports on all of them.
func (a *app) logOutOf(ctx context.Context, browser bool, accounts map[string][]string, profiles ...profile.Profile) error {
	all := []farewell{}
	var failed error
	for _, p := range profiles {
		var here []farewell
		if len(accounts[p.Name]) > 0 {
			failed = errors.Join(failed, a.inProfile(ctx, p, session.Options{}, func(s *session.Session) error {
				var failed error
				for _, name := range accounts[p.Name] {
					f, err := a.logOut(ctx, s, name, browser)
					here = append(here, f)
					failed = errors.Join(failed, err)
				}
				return failed
			}))
		}
		forgotten, err := a.forget(ctx, p)
		failed = errors.Join(failed, err)
		if forgotten {
			if len(here) == 0 {
				here = []farewell{{Profile: p.Name}}
			}
			here[len(here)-1].Secret = true
			a.sayf("  The client secret of %s, which was kept here, is deleted, too.", ui.Name(p.ClientID))
		}
		all = append(all, here...)
	}
	switch {
	case a.json:
		failed = errors.Join(a.ui.Out.JSON(all), failed)
	case len(all) == 0 && failed == nil:
		a.nobody()
	}
	return failed
}

// forget deletes the client secret that is kept for p, if nobody is logged in there any
// more, and tells whether it was there. It opens nothing for that.
func (a *app) forget(ctx context.Context, p profile.Profile) (forgotten bool, err error) {
	if !p.ClientSecret.Kept {
		return false, nil
	}
	names, err := a.names(ctx, p)
	if err != nil || len(names) > 0 {
		return false, err
	}
	err = a.inProfile(ctx, p, session.Options{Names: true}, func(s *session.Session) error {
		forgotten, err = s.ForgetSecret(ctx)
		return err
	})
	return forgotten, err
}

// logOut logs out of one account.
func (a *app) logOut(ctx context.Context, s *session.Session, name string, browser bool) (farewell, error) {
	me := s.Client.Account(name)
	f := farewell{Profile: s.Profile.Name, Account: name}
	status, err := me.Status(ctx)
	if err == nil && errors.Is(status.Err, client.ErrLoginRequired) && status.LoggedIn.IsZero() {
		a.sayf("Nothing is kept for %s.", ui.Bold(ui.Name(name)))
		return f, nil
	}
	end, err := me.Logout(ctx)
	var e *client.Error
	switch {
	case err == nil:
		f.Deleted, f.Revoked = true, true
		a.sayf("%s Logged out of %s: the server has revoked the grant, and it is deleted here.", ui.Good("✓"), ui.Bold(ui.Name(name)))
	case errors.As(err, &e) && e.Op == "logout":
		f.Deleted, f.Error = true, message(e.Err)
		a.sayf("%s Logged out of %s: %s", ui.Warn("!"), ui.Bold(ui.Name(name)), f.Error)
		err = exit.StatusError(exit.Failure)
	default:
		f.Error = message(err)
	}
	if browser && end != "" {
		if opened := client.OpenBrowser(end); opened != nil {
			a.sayf("%s The session in your browser goes on: %s", ui.Warn("!"), ui.Text(opened.Error(), 300))
		}
	}
	return f, err
}

// sayf tells a person something that a program does not need.
func (a *app) sayf(format string, args ...any) {
	if !a.json {
		a.ui.Err.Printf(format+"\n", args...)
	}
}
