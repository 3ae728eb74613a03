// Package command has the commands, one in a file: what they are called, which
// flags they have, and what they say. What they do beyond that has a package of its
// own.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/login"
	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/ui"
	"github.com/regrant/regrant/tokenstore"
)

// An app is one run of the program.
type app struct {
	ui   *ui.UI
	args []string // of this run

	profile string // --profile
	account string // --as
	json    bool   // --json
	debug   bool   // --debug

	opener *session.Opener
}

// Main runs the program and returns its exit code. environ is what os.Environ gives.
func Main(ctx context.Context, args []string, in io.Reader, out, errs io.Writer, environ []string) int {
	a := &app{ui: ui.New(in, out, errs, environ), args: args}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(a.ui.Out)
	root.SetErr(a.ui.Err)
	err := root.ExecuteContext(ctx)
	if cause := context.Cause(ctx); err != nil && errors.As(cause, new(exit.SignalError)) && !errors.As(err, new(exit.StatusError)) {
		err = cause // whatever it looks like from where it was noticed
	}
	return a.report(err)
}

// report says what went wrong and what to do, and returns the code.
func (a *app) report(err error) int {
	code, hint := exit.Of(err)
	if err == nil || errors.As(err, new(exit.StatusError)) || errors.As(err, new(exit.SignalError)) {
		return code // who pressed ^C knows it
	}
	text := message(err)
	hint = ui.Text(hint, 2000)
	if a.json {
		_ = a.ui.Err.JSON(struct {
			Error string `json:"error"`
			Code  int    `json:"code"`
			Hint  string `json:"hint"`
		}{text, code, hint})
		return code
	}
	a.ui.Err.Printf("%s %s\n%s %s\n", ui.Bad("regrant:"), text, ui.Faint("   next:"), hint)
	return code
}

// message is the text of an error in the words of the program. The SDK speaks to
// programmers: of the fields of its Config, where a user has flags.
func message(err error) string {
	words := strings.NewReplacer(
		"Config.Issuer", "the issuer", "Config.Provider", "--provider", "Config.Scopes", "--scope", "Config.Params", "--param", "Config.RedirectURL", "--redirect-url",
		"Config.Endpoint.DeviceAuthURL", "--device-endpoint", "Config.Endpoint", "--token-endpoint and its like",
		"Config.Auth", "--client-secret", "Config.ClientID", "--client-id",
		"; where no browser opens, log in with Device, or with Paste", "",
		"tokenstore: there is no such store on this machine: keyringstore: ", "",
		": on a machine without a desktop, choose a filestore and tokenstore.NewPassphraseSealer, or run the program inside a session that has a keychain", "",
	)
	var lines []string
	for line := range strings.Lines(words.Replace(err.Error())) {
		line = strings.TrimPrefix(strings.TrimPrefix(line, "regrant: "), "client: ")
		lines = append(lines, ui.Text(line, 2000))
	}
	return strings.Join(lines, "\n         ")
}

// dir returns where profiles are kept.
func (a *app) dir() (profile.Dir, error) { return profile.Open(a.ui.Getenv) }

// profileName is the profile that is meant.
func (a *app) profileName() string {
	if a.profile != "" {
		return a.profile
	}
	if name := a.ui.Getenv("REGRANT_PROFILE"); name != "" {
		return name
	}
	return profile.Default
}

// accountName is the account that is meant.
func (a *app) accountName() string {
	if a.account != "" {
		return a.account
	}
	if name := a.ui.Getenv("REGRANT_ACCOUNT"); name != "" {
		return name
	}
	return profile.Default
}

// load reads the profile that is meant.
func (a *app) load() (profile.Profile, error) {
	dir, err := a.dir()
	if err != nil {
		return profile.Profile{}, exit.With(exit.Configuration, "", err)
	}
	p, err := dir.Load(a.profileName())
	if errors.Is(err, fs.ErrNotExist) {
		return p, exit.With(exit.LoginRequired, a.loginCommand()+" https://ISSUER --client-id ID",
			fmt.Errorf("there is no profile %q yet: nobody has logged in", a.profileName()))
	}
	if err != nil {
		return p, exit.With(exit.Configuration, "", err)
	}
	return p, nil
}

// profiles reads the profile that is named, or all of them. Of one that cannot be read
// there is the name and an error, beside the others.
func (a *app) profiles() (iter.Seq2[profile.Profile, error], error) {
	if a.profile != "" || a.ui.Getenv("REGRANT_PROFILE") != "" {
		p, err := a.load()
		return func(yield func(profile.Profile, error) bool) { yield(p, nil) }, err
	}
	return a.allProfiles()
}

func (a *app) allProfiles() (iter.Seq2[profile.Profile, error], error) {
	dir, err := a.dir()
	var names []string
	if err == nil {
		names, err = dir.List()
	}
	if err != nil {
		return nil, exit.With(exit.Configuration, "", err)
	}
	return func(yield func(profile.Profile, error) bool) {
		for _, name := range names {
			p, err := dir.Load(name)
			if err != nil {
				err = exit.With(exit.Configuration, "", err)
			}
			if !yield(p, err) {
				return
			}
		}
	}, nil
}

// of says of which profile an error is.
func of(p profile.Profile, err error) error { return fmt.Errorf("profile %s: %w", p.Name, err) }

// failures joins what went wrong with profiles. What to do is said of the first one.
func failures(all []error) error {
	if len(all) == 0 {
		return nil
	}
	code, hint := exit.Of(all[0])
	return exit.With(code, hint, errors.Join(all...))
}

// in opens a session for the profile that is meant, and closes it after use.
func (a *app) in(ctx context.Context, o session.Options, use func(*session.Session) error) error {
	p, err := a.load()
	if err != nil {
		return err
	}
	return a.inProfile(ctx, p, o, use)
}

func (a *app) inProfile(ctx context.Context, p profile.Profile, o session.Options, use func(*session.Session) error) error {
	s, err := a.opener.Open(ctx, p, o)
	if err == nil {
		err = errors.Join(use(s), s.Close())
	}
	command := func(args ...string) string { return login.Command(p.Name, a.accountName(), args...) }
	if o.Login {
		command = a.again // there may be no profile yet
	}
	switch {
	case p.Store == profile.Keyring && errors.Is(err, tokenstore.ErrUnavailable):
		err = exit.With(exit.Store, "keep the grants in files that a passphrase seals: "+command("--store", profile.File), err)
	case errors.Is(err, session.ErrNoSecret):
		err = exit.With(exit.Configuration, command("--client-secret"), err)
	}
	return err
}

// explain says of an error of an account how to log in to that one.
func (a *app) explain(err error) error {
	code, _ := exit.Of(err)
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case code == exit.LoginRequired:
		return exit.With(code, a.loginCommand(), err)
	case ok && code == exit.Configuration && e.Code == "invalid_client":
		return exit.With(code, "has the client secret changed? "+a.loginCommand()+" --client-secret asks for the new one", err)
	}
	return err
}

// loginCommand is the command that logs in to the account that is meant, with these
// arguments in addition.
func (a *app) loginCommand(args ...string) string {
	return login.Command(a.profileName(), a.accountName(), args...)
}

// again is the command that is running, with a flag, and its value if it takes one, in
// addition. Until a login has succeeded there is no profile, and no other command says
// which server and which client.
func (a *app) again(flag ...string) string {
	said := slices.Clone(a.args)
	if len(flag) == 2 { // instead of what it says there
		for i, word := range slices.Backward(said) {
			switch name, _, joined := strings.Cut(word, "="); {
			case name != flag[0]:
			case joined:
				said = slices.Delete(said, i, i+1)
			default:
				said = slices.Delete(said, i, min(i+2, len(said)))
			}
		}
	}
	return login.Line(slices.Concat([]string{"regrant"}, said, flag)...)
}

// askFor is the command that logs in again to the account that is meant, and asks for
// more scopes than it has; "" if what is wanted is no scope.
func (a *app) askFor(ctx context.Context, s *session.Session, wanted ...string) string {
	status, _ := s.Client.Account(a.accountName()).Status(ctx) // what cannot be read has none to lose
	args := login.Scopes(s.Profile, status.Scopes, wanted...)
	if args == nil {
		return ""
	}
	return a.loginCommand(args...)
}

// root is the program without a command.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "regrant",
		Short: "Log in to any OAuth or OpenID Connect server once, and use its tokens anywhere",
		Long: `regrant logs you in to an OAuth 2.0 or OpenID Connect server, keeps the refresh
token safe, rotates it without losing it, and hands fresh access tokens to shells,
scripts and other programs: to any number of them at once.`,
		Example: `  regrant login https://login.example.com --client-id my-cli
  regrant call https://api.example.com/me
  regrant exec -- terraform plan
  regrant helper curl https://api.example.com/me | curl --config -`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			hint := "regrant help lists the commands"
			if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
				hint = "did you mean regrant " + similar[0] + "?"
			}
			return exit.Usagef(hint, "there is no command %q", ui.Name(args[0]))
		},
		PersistentPreRun: func(*cobra.Command, []string) {
			var debug io.Writer
			if a.debug {
				debug = a.ui.Err
			}
			a.opener = session.NewOpener(a.ui, debug)
		},
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(a.flagError)
	root.SetHelpTemplate(root.HelpTemplate() + `{{if not .HasParent}}
` + exitCodes() + `{{end}}`)
	flags := root.PersistentFlags()
	flags.StringVarP(&a.profile, "profile", "p", "", "which server and client: the name of a profile (REGRANT_PROFILE, else default)")
	flags.StringVarP(&a.account, "as", "a", "", "which account: a name of your own, such as work (REGRANT_ACCOUNT, else default)")
	flags.BoolVar(&a.json, "json", false, "write JSON, also for errors")
	flags.BoolVar(&a.debug, "debug", false, "show what goes over the wire, without secrets")
	root.AddCommand(a.login(), a.token(), a.call(), a.exec(), a.status(), a.accounts(), a.logout(), a.reseal(), a.man())
	root.AddCommand(a.proxy(), a.helper(), a.importGrant(), a.doctor())
	a.complete(root)
	return root
}

// version is what the module system knows of the program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown version"
	}
	return info.Main.Version
}

// flagError tells what is wrong with a flag, and never repeats what may be a secret.
func (a *app) flagError(c *cobra.Command, err error) error {
	a.json = a.json || wantJSON(a.args) // it may come after the flag at which the parser has stopped
	hint := c.CommandPath() + " --help"
	if value, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		switch name := value.GetFlag().Name; {
		case secretFlags[name]:
			return exit.Usagef(hint, "--%s takes no value: what is in the arguments can be seen by everybody on this machine, and stays in the history of the shell. It is asked for on the terminal", name)
		case name == "json" && c.Name() == "call":
			return jsonIsNoBody()
		}
	}
	return exit.Usagef(hint, "%s", ui.Text(err.Error(), 300))
}

// wantJSON tells whether the arguments have --json among the flags.
func wantJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.ContainsFunc(args, func(arg string) bool {
		value, ok := strings.CutPrefix(arg, "--json=")
		yes, err := strconv.ParseBool(value)
		return arg == "--json" || ok && err == nil && yes
	})
}

// secretFlags are the flags to which people may want to give a secret.
var secretFlags = map[string]bool{"client-secret": true, "password": true}

// atMost makes sure that there are no more arguments.
func atMost(most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > most {
			return exit.Usagef(c.CommandPath()+" --help", "%s does not know what to do with %q", c.Name(), ui.Name(args[most]))
		}
		return nil
	}
}

// exactlyOne makes sure that there is one argument; what says what is missing.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		return errors.Join(atLeast(1, what)(c, args), atMost(1)(c, args))
	}
}

// atLeast makes sure that there are that many arguments or more.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < n {
			return exit.Usagef(c.CommandPath()+" --help", "%s needs %s", c.Name(), what)
		}
		return nil
	}
}

// exitCodes is the table for help and manual.
func exitCodes() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, c := range exit.Codes() {
		fmt.Fprintf(&b, "  %3d  %s\n", c.Code, c.Meaning)
	}
	return b.String()
}
