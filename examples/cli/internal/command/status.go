package command

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// A state is what is known of an account.
type state struct {
	Profile       string    `json:"profile"`
	Account       string    `json:"account"`
	Issuer        string    `json:"issuer"`
	State         string    `json:"state"`
	Error         string    `json:"error,omitempty"`
	Scopes        []string  `json:"scopes,omitempty"`
	LoggedIn      time.Time `json:"logged_in,omitzero"`
	Renewed       time.Time `json:"renewed,omitzero"`
	Expiry        time.Time `json:"expiry,omitzero"`
	RefreshExpiry time.Time `json:"refresh_expiry,omitzero"`
	GrantExpiry   time.Time `json:"grant_expiry,omitzero"`
	Generation    uint64    `json:"generation"`
	Holder        string    `json:"holder,omitempty"` // who renews it at this moment
	Store         string    `json:"store"`
}

// The states, as the SDK tells them.
const (
	stateFresh      = "fresh"
	stateRenewable  = "renewable"
	stateRenewing   = "renewing"
	stateLogin      = "login required"
	stateUnreadable = "unreadable"
)

// stateUnavailable is that of a profile whose accounts cannot be had.
const stateUnavailable = "unavailable"

var words = map[client.State]string{
	client.StateFresh: stateFresh, client.StateRenewable: stateRenewable, client.StateRenewing: stateRenewing,
	client.StateLoginRequired: stateLogin, client.StateUnreadable: stateUnreadable, client.StateUnknown: "unknown",
}

func (a *app) status() *cobra.Command {
	watch := false
	c := &cobra.Command{
		Use:   "status",
		Short: "Show all accounts: what works, and for how long",
		Long: `Show the accounts of all profiles, or of one with --profile, as they are kept here: no
server is asked.

  fresh            the access token works
  renewable        it has ended, or is about to: the next use renews it
  renewing         another program does so at this moment
  login required   the server has ended the grant, or nobody is logged in
  unreadable       the record does not open: another passphrase, or damaged
  unavailable      the profile, or the place of its grants, cannot be used

LOGIN AGAIN says when the refresh token ends, where the server has told.`,
		Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			all, failed, err := a.states(c.Context())
			switch {
			case err != nil:
				return err
			case watch:
				return a.watch(c.Context(), all)
			case a.json:
				return cmp.Or(a.ui.Out.JSON(all), failed)
			case len(all) == 0:
				a.nobody()
				return nil
			}
			a.ui.Out.Printf("%s", a.table(all, time.Now()))
			return failed
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "keep showing, until ^C")
	return c
}

// watch shows the accounts as they change.
func (a *app) watch(ctx context.Context, all []state) error {
	if !a.ui.Out.Lively() || a.json {
		return exit.Usagef("regrant status --json shows it once", "--watch needs a terminal")
	}
	looked := time.Now()
	return a.ui.Out.Watch(ctx, func(now time.Time) (string, error) {
		if now.Sub(looked) >= time.Second {
			fresh, _, err := a.states(ctx)
			if err != nil {
				return "", err
			}
			all, looked = fresh, now
		}
		if len(all) == 0 {
			return "Nobody is logged in.\n", nil
		}
		return a.table(all, now), nil
	})
}

// states looks at all accounts. Nobody is asked but the stores. A profile that cannot be
// used has a row that says so; failed is why.
func (a *app) states(ctx context.Context) (all []state, failed, err error) {
	profiles, err := a.profiles()
	if err != nil {
		return nil, nil, err
	}
	all = []state{}
	var errs []error
	for p, err := range profiles {
		if err == nil {
			err = a.inProfile(ctx, p, session.Options{}, func(s *session.Session) error {
				for status, err := range s.Client.Accounts(ctx) {
					if err != nil {
						return err
					}
					all = append(all, stateOf(s, status))
				}
				return nil
			})
		}
		switch {
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case err != nil:
			all = append(all, state{Profile: p.Name, Issuer: p.Issuer, State: stateUnavailable, Error: message(err), Store: p.Store})
			errs = append(errs, of(p, err))
		}
	}
	slices.SortFunc(all, func(a, b state) int {
		return cmp.Or(cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.Account, b.Account))
	})
	return all, failures(errs), nil
}

func stateOf(s *session.Session, status client.Status) state {
	x := state{
		Profile: s.Profile.Name, Account: status.Account, Issuer: status.Issuer, State: words[status.State], Scopes: status.Scopes,
		LoggedIn: status.LoggedIn, Renewed: status.Renewed, Expiry: status.Expiry,
		RefreshExpiry: status.RefreshExpiry, GrantExpiry: status.GrantExpiry,
		Generation: status.Generation, Holder: status.Holder, Store: s.Profile.Store,
	}
	if status.Err != nil {
		x.Error = message(status.Err)
	}
	return x
}

// table shows accounts to people.
func (a *app) table(all []state, now time.Time) string {
	rows := make([][]string, len(all))
	for i, x := range all {
		renewed := strconv.FormatUint(x.Generation, 10)
		if x.State == stateUnavailable {
			renewed = ""
		}
		rows[i] = []string{
			x.Profile, ui.Bold(ui.Name(x.Account)), a.word(x), a.lifetime(x, now),
			deadline(x, now), renewed, ui.Name(x.Store),
		}
	}
	return a.ui.Out.Table([]string{"PROFILE", "ACCOUNT", "STATE", "ACCESS TOKEN", "LOGIN AGAIN", "RENEWED", "STORE"}, rows)
}

// word is the state, in a colour.
func (a *app) word(x state) string {
	switch x.State {
	case stateFresh:
		return ui.Good(x.State)
	case stateRenewable, stateRenewing:
		return ui.Warn(x.State)
	}
	return ui.Bad(x.State)
}

// lifetime is a bar that shrinks as the access token ends.
func (a *app) lifetime(x state, now time.Time) string {
	const columns = 10
	switch {
	case x.State == stateLogin, x.State == stateUnreadable, x.State == stateUnavailable:
		return ""
	case x.Expiry.IsZero():
		return "no end"
	case x.State == stateRenewing && x.Holder != "?":
		return "by " + ui.Name(x.Holder)
	case !x.Expiry.After(now):
		return "renewed at the next use"
	}
	left := x.Expiry.Sub(now)
	text := ui.Span(left)
	if !a.ui.Out.Terminal() {
		return text
	}
	part := float64(left) / float64(x.Expiry.Sub(x.Renewed))
	bar := a.ui.Bar(part, columns)
	if part > 0.25 { // in the last quarter the next use renews it
		bar = ui.Good(bar)
	} else {
		bar = ui.Warn(bar)
	}
	return bar + " " + text
}

// deadline is when the user has to log in again, as far as the server has said.
func deadline(x state, now time.Time) string {
	end := x.GrantExpiry
	if !x.RefreshExpiry.IsZero() && (end.IsZero() || x.RefreshExpiry.Before(end)) {
		end = x.RefreshExpiry
	}
	switch {
	case x.State == stateLogin:
		return "now"
	case end.IsZero():
		return ""
	case !end.After(now):
		return "now"
	}
	return "in " + ui.Span(end.Sub(now))
}
