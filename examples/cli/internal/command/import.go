package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/adopt"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/login"
	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// An importRun is what the flags of an import say.
type importRun struct {
	login *loginRun // that it takes the place of
	from  string

	issuer  string
	user    string
	replace bool
}

func (a *app) importGrant() *cobra.Command {
	r := &importRun{login: &loginRun{app: a}}
	c := &cobra.Command{
		Use:   "import [FILE]",
		Short: "Take over a grant that another program has obtained",
		Long: `Take over a grant from FILE, or from the standard input if that is -: a token of
golang.org/x/oauth2 as JSON, or the answer of a token endpoint, as oauth2c prints it.

  --from gh          what GitHub's gh keeps in hosts.yml
  --from kubelogin   what kubelogin keeps in its token cache

What an account has already stays, if it can be used, unless --replace is given. The
source is not changed; what to do about it is said at the end, because a refresh token
with two owners soon has none.`,
		Example: `  regrant import token.json --issuer https://login.example.com --client-id my-cli
  oauth2c https://login.example.com --client-id my-cli … | regrant import -
  regrant import --from kubelogin --profile cluster
  regrant import --from gh --as work --profile github`,
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error { return r.run(c.Context(), args) },
	}
	f := c.Flags()
	f.StringVar(&r.from, "from", "", "another program whose files are looked at: gh or kubelogin")
	f.StringVar(&r.issuer, "issuer", "", "the server, if the source does not say or has several")
	f.StringVar(&r.user, "user", "", "the user, if the source has several")
	f.BoolVar(&r.replace, "replace", false, "replace what the account has")
	r.login.profileFlags(c)
	_ = c.RegisterFlagCompletionFunc("from", cobra.FixedCompletions([]string{"gh", "kubelogin"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (r *importRun) run(ctx context.Context, args []string) error {
	grants, missed, err := r.look(args)
	if err != nil {
		return exit.With(exit.Usage, "regrant import --help", err)
	}
	a := r.login.app
	for _, m := range missed {
		a.sayf("%s %s: %s", ui.Warn("!"), ui.Name(m.Path), ui.Text(m.Why, 300))
	}
	g, err := r.choose(grants)
	if err != nil {
		return err
	}
	if r.login.profile.ClientID == "" {
		r.login.profile.ClientID = g.ClientID
	}
	var at []string
	if g.Issuer != "" {
		at = []string{g.Issuer}
	}
	p, changed, err := r.login.merge(at)
	if err != nil {
		return err
	}
	return r.login.in(ctx, p, func(s *session.Session) error { return r.enter(ctx, s, g, missed, changed) })
}

// look reads what the source has.
func (r *importRun) look(args []string) ([]adopt.Grant, []adopt.Miss, error) {
	u := r.login.app.ui
	switch {
	case len(args) == 1 && r.from != "":
		return nil, nil, errors.New("a file, or --from: which of them?")
	case len(args) == 1 && args[0] == "-":
		data, err := io.ReadAll(io.LimitReader(u.In, 1<<20))
		if err != nil {
			return nil, nil, err
		}
		g, err := adopt.File("the standard input", data, time.Now())
		return one(g, err)
	case len(args) == 1:
		g, err := adopt.Read(args[0])
		return one(g, err)
	case r.from == "gh":
		path := adopt.GHFile(u.Getenv)
		data, err := os.ReadFile(path) //nolint:gosec // the user names the program that it is of
		if err != nil {
			return nil, nil, err
		}
		return adopt.GH(path, data)
	case r.from == "kubelogin":
		return adopt.Kubelogin(adopt.KubeloginDir(u.Getenv))
	case r.from != "":
		return nil, nil, fmt.Errorf("nobody knows where %q keeps its tokens: gh and kubelogin are known", ui.Name(r.from))
	}
	return nil, nil, errors.New("import from where? Name a file, or --from gh, or --from kubelogin")
}

func one(g adopt.Grant, err error) ([]adopt.Grant, []adopt.Miss, error) {
	if err != nil {
		return nil, nil, fmt.Errorf("nothing can be imported from there: %w", err)
	}
	return []adopt.Grant{g}, nil, nil
}

// choose returns the grant that is meant.
func (r *importRun) choose(grants []adopt.Grant) (adopt.Grant, error) {
	var fit []adopt.Grant
	for _, g := range grants {
		if r.issuer != "" {
			wanted := issuer(r.issuer)
			if g.Issuer != "" && g.Issuer != wanted {
				continue
			}
			g.Issuer = wanted
		}
		if id := r.login.profile.ClientID; id != "" && g.ClientID != "" && g.ClientID != id || r.user != "" && g.User != r.user {
			continue
		}
		fit = append(fit, g)
	}
	switch {
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) == 0:
		return adopt.Grant{}, exit.With(exit.Failure, "regrant login is the other way", errors.New("there is no grant that could be imported"))
	}
	var lines strings.Builder
	for _, g := range fit {
		fmt.Fprintf(&lines, "\n--issuer %s --client-id %s --user %s", ui.Name(g.Issuer), ui.Name(g.ClientID), ui.Name(g.User))
	}
	return adopt.Grant{}, exit.Usagef("choose one of these", "there are %d grants:%s", len(fit), lines.String())
}

// enter keeps the grant, and proves that it works.
func (r *importRun) enter(ctx context.Context, s *session.Session, g adopt.Grant, missed []adopt.Miss, changed bool) error {
	a := r.login.app
	me := s.Client.Account(a.accountName())
	taken := false
	flow := client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
		taken = true
		return g.Token, nil
	})
	var err error
	end := s.Await()
	if r.replace {
		if err = me.Login(ctx, flow); err == nil {
			_, err = me.Token(ctx)
		}
	} else {
		err = me.Ensure(ctx, flow)
	}
	end()
	if err != nil {
		return r.failed(s.Profile, changed, err)
	}
	if err := r.login.save(ctx, s, changed); err != nil {
		return err
	}
	if a.json {
		return a.ui.Out.JSON(struct {
			Profile  string       `json:"profile"`
			Account  string       `json:"account"`
			Issuer   string       `json:"issuer"`
			Source   string       `json:"source"`
			Imported bool         `json:"imported"`
			Missed   []adopt.Miss `json:"missed,omitempty"`
		}{s.Profile.Name, me.Name(), s.Profile.Issuer, g.Path, taken, missed})
	}
	if !taken {
		a.sayf("%s The account %s has a grant that works: nothing was imported. To replace it: --replace", ui.Warn("!"), ui.Bold(ui.Name(me.Name())))
		return nil
	}
	a.sayf("%s Imported the grant of %s from %s, and it works", ui.Good("✓"), ui.Bold(whose(g)), ui.Name(g.Path))
	a.sayf("  account %s, kept in %s", ui.Bold(ui.Name(me.Name())), s.Where())
	a.sayf("  %s: %s", ui.Name(g.Path), g.After)
	return nil
}

func whose(g adopt.Grant) string {
	if g.User != "" {
		return ui.Name(g.User)
	}
	return g.Program
}

// failed says what became of a grant that is of no use.
func (r *importRun) failed(p profile.Profile, unsaved bool, err error) error {
	if errors.Is(err, client.ErrLoginRequired) {
		command := r.login.app.loginCommand()
		if unsaved {
			command = login.First(p, r.login.app.accountName())
		}
		return exit.With(exit.LoginRequired, command, fmt.Errorf("the grant there is of no use any more: %w", err))
	}
	return err
}
