package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/provider"
	"github.com/regrant/regrant/examples/cli/internal/call"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/login"
	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// A loginRun is what the flags of a login say.
type loginRun struct {
	app *app
	cmd *cobra.Command

	device, code, password bool
	noBrowser, ifNeeded    bool
	patience               time.Duration
	secret                 bool // ask for the client secret
	params                 []string
	profile                profile.Profile // what the flags say of it
}

func (a *app) login() *cobra.Command {
	l := &loginRun{app: a}
	c := &cobra.Command{
		Use:   "login [ISSUER]",
		Short: "Log in, in the browser or by a code",
		Long: `Log in to the authorization server ISSUER and keep the grant. The first login makes
the profile: ISSUER and --client-id are needed. Later ones take what it says, and
flags change it.

How to log in:
  (nothing)    in the browser on this machine
  --device     by a code that is entered in a browser on any machine, as over SSH
  --code       in any browser, carrying the URL it ends up with back by hand
  --password   by name and password, for old servers that know nothing else`,
		Example: `  regrant login https://login.example.com --client-id my-cli
  regrant login --as work
  regrant login --device
  regrant login https://sso.example.com --client-id tool --profile work --store file
  regrant login https://accounts.google.com --client-id ID --client-secret --scope openid --scope email
  regrant login https://sso.example.com/realms/main --provider keycloak --client-id tool --profile main`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			l.cmd = c
			return l.run(c.Context(), args)
		},
	}
	f := c.Flags()
	l.wayFlags(c)
	f.BoolVar(&l.password, "password", false, "log in by name and password, which are asked for")
	f.BoolVar(&l.ifNeeded, "if-needed", false, "do nothing if the account can be used")
	l.profileFlags(c)
	c.MarkFlagsMutuallyExclusive("device", "code", "password", "no-browser")
	return c
}

// wayFlags are those that say how to log in.
func (l *loginRun) wayFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&l.device, "device", false, "log in by a code that is entered on any machine")
	f.BoolVar(&l.code, "code", false, "log in in any browser, and carry the result over by hand")
	f.BoolVar(&l.noBrowser, "no-browser", false, "show the URL instead of opening it")
	f.DurationVar(&l.patience, "timeout", 5*time.Minute, "how long to wait for you")
	c.MarkFlagsMutuallyExclusive("device", "code", "no-browser")
}

// profileFlags are those that say what the profile is to be.
func (l *loginRun) profileFlags(c *cobra.Command) {
	f, p := c.Flags(), &l.profile
	f.StringVar(&p.ClientID, "client-id", "", "the client identifier that the server has given to this program")
	f.StringVar(&p.Provider, "provider", "", "what the server is, such as keycloak: how to log in there is known then; none: known by the issuer, or not at all")
	f.StringSliceVar(&p.Scopes, "scope", nil, "a scope to ask for, again for each; none: openid and offline_access if the server has them")
	f.StringArrayVar(&l.params, "param", nil, "NAME=VALUE to add to authorization requests, again for each")
	f.StringVar(&p.Store, "store", "", "where the grant is kept: keyring (default), file or sqlite")
	f.StringVar(&p.Path, "path", "", "the directory or the database of the store")
	f.StringVar(&p.PassphraseFile, "passphrase-file", "", "a file with the passphrase of --store file or sqlite; none: it is asked for")
	f.StringVar(&p.RedirectURL, "redirect-url", "", "the redirect URI, if the server insists on one")
	f.BoolVar(&l.secret, "client-secret", false, "ask for the client secret, and keep it sealed with the grants")
	f.StringVar(&p.ClientSecret.File, "client-secret-file", "", "a file with the client secret, which stays there")
	f.StringVar(&p.ClientSecret.Env, "client-secret-env", "", "the name of a variable that has the client secret")
	f.StringVar(&p.Endpoint.Authorization, "authorization-endpoint", "", "of a server without discovery")
	f.StringVar(&p.Endpoint.Token, "token-endpoint", "", "of a server without discovery")
	f.StringVar(&p.Endpoint.Device, "device-endpoint", "", "of a server without discovery")
	f.StringVar(&p.Endpoint.Revocation, "revocation-endpoint", "", "of a server without discovery")
	c.MarkFlagsMutuallyExclusive("client-secret", "client-secret-file", "client-secret-env")
	var known []string
	for _, p := range provider.All() {
		known = append(known, p.Name+"\t"+p.Title)
	}
	_ = c.RegisterFlagCompletionFunc("provider", cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("store", cobra.FixedCompletions([]string{profile.Keyring, profile.File, profile.SQLite}, cobra.ShellCompDirectiveNoFileComp))
}

func (l *loginRun) run(ctx context.Context, args []string) error {
	p, changed, err := l.merge(args)
	if err != nil {
		return err
	}
	return l.in(ctx, p, func(s *session.Session) error { return l.enter(ctx, s, changed) })
}

// in opens a session for a new grant. It asks for the client secret, if that is wanted, or
// has gone with the last logout.
func (l *loginRun) in(ctx context.Context, p profile.Profile, use func(*session.Session) error) error {
	return l.app.inProfile(ctx, p, session.Options{Login: true}, func(s *session.Session) error {
		has, err := s.HasSecret(ctx)
		if err != nil {
			return err
		}
		if l.secret = l.secret || !has; l.secret {
			secret, err := l.app.ui.AskSecret(ctx, "Client secret of "+ui.Name(p.ClientID)+": ")
			if errors.Is(err, ui.ErrNoTerminal) {
				err = exit.With(exit.Usage, "use --client-secret-file, or --client-secret-env", err)
			}
			if err != nil {
				return err
			}
			s.UseSecret(secret)
		}
		return use(s)
	})
}

// enter logs in, and keeps what the next command needs.
func (l *loginRun) enter(ctx context.Context, s *session.Session, changed bool) error {
	a := l.app
	ctx, stop := context.WithTimeoutCause(ctx, l.patience, errPatience)
	defer stop()
	me := s.Client.Account(a.accountName())
	enter := me.Login
	if l.ifNeeded {
		enter = me.Ensure
	}
	if err := l.by(ctx, s.Profile, enter); err != nil {
		return l.failed(ctx, s.Profile, err)
	}
	if err := l.save(ctx, s, changed); err != nil {
		return err
	}
	return l.welcome(ctx, s, me)
}

// save keeps the client secret and the profile for the next command.
func (l *loginRun) save(ctx context.Context, s *session.Session, changed bool) error {
	if l.secret {
		if err := s.KeepSecret(ctx); err != nil {
			return fmt.Errorf("the login succeeded, but the client secret could not be kept: %w", err)
		}
	}
	if !changed {
		return nil
	}
	dir, err := l.app.dir()
	if err == nil {
		err = dir.Save(s.Profile)
	}
	if err != nil {
		return fmt.Errorf("the login succeeded, but the profile could not be saved: %w", err)
	}
	if !s.Profile.ClientSecret.Kept { // any more
		if _, err := s.ForgetSecret(ctx); err != nil {
			return fmt.Errorf("the login succeeded, but the client secret of before could not be deleted: %w", err)
		}
	}
	return nil
}

var errPatience = errors.New("nobody has finished the login in time")

// merge returns the profile as the command line wants it, and whether that is new.
func (l *loginRun) merge(args []string) (p profile.Profile, changed bool, err error) {
	a := l.app
	dir, err := a.dir()
	if err != nil {
		return p, false, exit.With(exit.Configuration, "", err)
	}
	fresh := l.profile
	fresh.Name = a.profileName()
	fresh.ClientSecret.Kept = l.secret
	if len(args) == 1 {
		fresh.Issuer = issuer(args[0])
	}
	if fresh.Params, err = parameters(l.params); err != nil {
		return p, false, err
	}
	old, loadErr := dir.Load(fresh.Name)
	p, changed, err = login.Merge(old, fresh, loadErr)
	if err != nil || loadErr == nil {
		return p, changed, err
	}
	// Two profiles would see each other's accounts.
	others, err := a.allProfiles()
	if err != nil {
		return p, false, err
	}
	for other, err := range others {
		if err == nil && other.SamePlace(p) { // a file that cannot be read names no place
			hint := "regrant login --as NAME"
			if other.Name != profile.Default {
				hint = "regrant login --profile " + other.Name + " --as NAME"
			}
			return p, false, exit.Usagef(hint, "the profile %q is that of this server and client already: another login there is another account", other.Name)
		}
	}
	return p, changed, nil
}

// issuer is what the user means by a host without a scheme.
func issuer(text string) string { return call.WithScheme(text) }

func parameters(list []string) (map[string]string, error) {
	var params map[string]string
	for _, p := range list {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return nil, exit.Usagef("regrant login --help", "--param %q is not NAME=VALUE", ui.Name(p))
		}
		if params == nil {
			params = map[string]string{}
		}
		params[name] = value
	}
	return params, nil
}

// by logs in by the way that the flags choose, and shows for how long it waits: until
// ctx ends.
func (l *loginRun) by(ctx context.Context, p profile.Profile, enter func(context.Context, client.Flow) error) error {
	end, _ := ctx.Deadline()
	wait := login.NewWait(l.app.ui)
	defer wait.End()
	return enter(ctx, l.flow(wait, end, p.RedirectURL))
}

// flow is the way to log in.
func (l *loginRun) flow(wait *login.Wait, end time.Time, redirectURL string) client.Flow {
	u := l.app.ui
	switch {
	case l.device:
		return login.Device(u, wait, end)
	case l.code:
		return login.Code(u)
	case l.password:
		return login.Password(u)
	}
	return login.Browser(u, wait, end, redirectURL, l.noBrowser, l.app.again("--device")+" (or --code)")
}

// failed says what a person can do about a login that failed.
func (l *loginRun) failed(ctx context.Context, p profile.Profile, err error) error {
	code, _ := exit.Of(err)
	hint := l.app.again()
	if errors.Is(context.Cause(ctx), errPatience) {
		return exit.With(exit.Refused, l.app.again("--timeout", (2*l.patience).String()), errPatience)
	}
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case errors.As(err, new(*login.NoBrowserError)):
		code, hint = exit.Failure, l.app.again("--device")+" (or --code, or --no-browser)"
	case ok && e.Op == "discover" && code == exit.Configuration:
		hint = login.Line("regrant", "doctor", e.Key.Issuer)
	case ok && e.Code == "invalid_client" && p.ClientSecret == (profile.SecretRef{}):
		hint = "a client with a secret needs it: " + l.app.again("--client-secret")
	case ok && e.Code == "invalid_client":
		hint = "check the client secret, and then: " + l.app.again()
	case errors.As(err, new(*exit.Error)):
		return err
	case code == exit.Refused, code == exit.LoginRequired: // the same again
	default:
		return err
	}
	return exit.With(code, hint, err)
}

// welcome says who is logged in now.
func (l *loginRun) welcome(ctx context.Context, s *session.Session, me *client.Account) error {
	status, err := me.Status(ctx)
	if err != nil {
		return err
	}
	who := login.Who(ctx, me)
	if l.app.json {
		return l.app.ui.Out.JSON(struct {
			Profile string    `json:"profile"`
			Account string    `json:"account"`
			Issuer  string    `json:"issuer"`
			User    string    `json:"user,omitempty"`
			Scopes  []string  `json:"scopes"`
			Expiry  time.Time `json:"expiry,omitzero"`
			Store   string    `json:"store"`
		}{s.Profile.Name, me.Name(), s.Profile.Issuer, who, status.Scopes, status.Expiry, s.Profile.Store})
	}
	if who != "" {
		who = " as " + ui.Bold(who)
	}
	out := l.app.ui.Err
	out.Printf("%s Logged in%s at %s\n", ui.Good("✓"), who, s.Profile.Issuer)
	out.Printf("  account %s, kept in %s\n", ui.Bold(ui.Name(me.Name())), s.Where())
	return nil
}
