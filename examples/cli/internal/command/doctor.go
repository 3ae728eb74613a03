package command

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/doctor"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/login"
	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/trace"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// A doctorRun is what the flags of a doctor say.
type doctorRun struct {
	login *loginRun // how to log in for a deep examination
	deep  bool
	yes   bool
	found []doctor.Finding
}

func (a *app) doctor() *cobra.Command {
	r := &doctorRun{login: &loginRun{app: a}}
	c := &cobra.Command{
		Use:   "doctor [ISSUER]",
		Short: "Examine a server and this machine, and say what is wrong and how to mend it",
		Long: `Examine the authorization server ISSUER, or that of the profile, and this machine:
discovery, clocks, keys, PKCE, refresh tokens, revocation, device logins, redirects, the
keychain, and the file system of the grants.

With --deep it also logs you in once more, with your consent, and finds out how the
server renews grants: whether the refresh token changes, and what happens if one is used
twice. That login is kept in memory and revoked at the end. It does not touch yours,
unless the server keeps one login for each user and program, as dex does.`,
		Example: `  regrant doctor https://login.example.com
  regrant doctor --deep --device
  regrant doctor --json https://login.example.com | jq '.[] | select(.state == "problem")'`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return r.run(c.Context(), args) },
	}
	f := c.Flags()
	f.BoolVar(&r.deep, "deep", false, "log in for it, and renew, and use a refresh token twice")
	f.BoolVar(&r.yes, "yes", false, "agree to --deep beforehand")
	r.login.wayFlags(c)
	f.StringVar(&r.login.profile.ClientID, "client-id", "", "the client identifier for --deep, without a profile")
	return c
}

func (r *doctorRun) run(ctx context.Context, args []string) error {
	a := r.login.app
	p, err := r.subject(args)
	if err != nil {
		return err
	}
	if !a.json {
		a.ui.Out.Printf("%s\n\n", ui.Bold(ui.Text(p.Issuer, 200)))
	}
	exam := &doctor.Exam{Profile: p, HTTP: session.Waiting(http.DefaultTransport, a.ui, p.Issuer), Getenv: a.ui.Getenv, Report: r.report, Login: r.loginCommand(p)}
	if a.debug {
		exam.HTTP = trace.Server(exam.HTTP, a.ui.Err)
	}
	exam.Run(ctx)
	if r.deep {
		if err := r.examine(ctx, exam); err != nil {
			return err
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return r.conclude()
}

// subject is what to examine: the profile of that issuer, or the issuer alone.
func (r *doctorRun) subject(args []string) (profile.Profile, error) {
	a := r.login.app
	if len(args) == 0 {
		return a.load()
	}
	at := issuer(args[0])
	p, err := a.load()
	if err == nil && p.Issuer == at {
		return p, nil
	}
	if a.profile != "" {
		if err == nil {
			err = exit.Usagef("leave out one of the two", "the profile %q is that of %s", p.Name, p.Issuer)
		}
		return p, err
	}
	return profile.Profile{Issuer: at, ClientID: r.login.profile.ClientID}, nil
}

// loginCommand is the command that logs in to what is examined.
func (r *doctorRun) loginCommand(p profile.Profile) string {
	if p.Name != "" {
		return r.login.app.loginCommand()
	}
	return r.login.app.loginCommand(p.Issuer, "--client-id", cmp.Or(p.ClientID, "ID"))
}

// report shows a finding at once: some take a while.
func (r *doctorRun) report(f doctor.Finding) {
	a := r.login.app
	f.Text, f.Advice = ui.Text(f.Text, 400), ui.Text(f.Advice, 2000) // a server has its say in them
	r.found = append(r.found, f)
	if a.json {
		return
	}
	const column = 13
	mark := map[doctor.State]string{doctor.Good: ui.Good("✓"), doctor.Note: ui.Faint("·"), doctor.Warning: ui.Warn("!"), doctor.Problem: ui.Bad("✗")}[f.State]
	indent := strings.Repeat(" ", column+2)
	width := max(a.ui.Out.Width()-column-2, 30)
	if !a.ui.Out.Terminal() {
		width = 1 << 20
	}
	a.ui.Out.Printf("%s %s%s\n", mark, ui.Faint(f.Check)+strings.Repeat(" ", max(column-len(f.Check), 1)), ui.Wrap(f.Text, width, indent))
	if f.Advice != "" {
		a.ui.Out.Printf("%s%s\n", indent, ui.Accent(ui.Wrap("→ "+f.Advice, width, indent)))
	}
}

// examine logs in for a deep examination, if the user agrees.
func (r *doctorRun) examine(ctx context.Context, exam *doctor.Exam) error {
	a, p := r.login.app, exam.Profile
	if p.ClientID == "" {
		return exit.Usagef("add --client-id ID", "a login needs a client identifier")
	}
	if !r.yes {
		a.ui.Err.Printf("\nThe rest needs a login of its own. A refresh token of it is used twice, and then it is\nrevoked. Yours stays as it is, unless the server keeps one login for each user, as dex does.\n")
		agreed, err := a.ui.Confirm(ctx, "Log in for that?")
		if errors.Is(err, ui.ErrNoTerminal) {
			return exit.With(exit.Usage, "add --yes", errors.New("--deep needs your consent, and there is no terminal to ask on"))
		}
		if err != nil {
			return err
		}
		if !agreed {
			return exit.With(exit.Refused, "answer y, or leave out --deep", errors.New("nothing was tried"))
		}
	}
	secret := ""
	if p.ClientSecret.Kept {
		err := a.inProfile(ctx, p, session.Options{}, func(s *session.Session) (err error) {
			secret, err = s.ClientSecret(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	spy := &doctor.Spy{Base: exam.HTTP}
	p.Store, p.Path = "", ""
	return a.inProfile(ctx, p, session.Options{Memory: true, Wire: spy, Secret: secret}, func(s *session.Session) error {
		me := s.Client.Account("doctor")
		entered, stop := context.WithTimeoutCause(ctx, r.login.patience, errPatience)
		defer stop()
		err := r.login.by(entered, s.Profile, me.Login)
		var e *client.Error
		switch {
		case err == nil:
			exam.Deep(ctx, me, spy)
			return nil
		case errors.As(err, new(*login.NoBrowserError)):
		case context.Cause(entered) == nil && errors.As(err, &e) && !e.Temporary && e.Code != "access_denied":
			advice := "see what the server says of this client: its redirect URIs, grants and scopes"
			if spy.Without() {
				advice = exam.AskForOne(ctx, me)
			}
			r.report(doctor.Finding{Check: "login", State: doctor.Problem, Text: message(err), Advice: advice})
			return nil
		}
		return r.login.failed(entered, s.Profile, err)
	})
}

// conclude sums up.
func (r *doctorRun) conclude() error {
	a := r.login.app
	count := map[doctor.State]int{}
	for _, f := range r.found {
		count[f.State]++
	}
	if a.json {
		if err := a.ui.Out.JSON(r.found); err != nil {
			return err
		}
	}
	switch problems, warnings := count[doctor.Problem], count[doctor.Warning]; {
	case problems > 0:
		if !a.json {
			a.ui.Out.Printf("\n%s\n", ui.Bad(plural(problems, "problem")+" to mend"))
		}
		return exit.StatusError(exit.Configuration)
	case a.json:
	case warnings > 0:
		a.ui.Out.Printf("\n%s\n", ui.Warn("It works, with "+plural(warnings, "warning")))
	default:
		a.ui.Out.Printf("\n%s\n", ui.Good("All is well"))
	}
	return nil
}

func plural(n int, what string) string {
	words := []string{"no", "one", "two", "three", "four", "five"}
	count := "many"
	if n < len(words) {
		count = words[n]
	}
	if n != 1 {
		what += "s"
	}
	return count + " " + what
}
