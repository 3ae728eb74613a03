package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/helper"
	"github.com/regrant/regrant/examples/cli/internal/login"
	"github.com/regrant/regrant/examples/cli/internal/session"
)

// A helperRun is what the flags of a helper say.
type helperRun struct {
	app      *app
	hosts    helper.Hosts
	username string
	idToken  bool
}

func (a *app) helper() *cobra.Command {
	c := &cobra.Command{
		Use:   "helper",
		Short: "Give the token to kubectl, git, docker or curl in their own way",
		Long: `Speak the protocols by which other programs ask for credentials. They ask each time,
so they always have a token that works; none of them keeps it.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.helpKubectl(), a.helpGit(), a.helpDocker(), a.helpCurl())
	return c
}

func (a *app) helpKubectl() *cobra.Command {
	r := &helperRun{app: a}
	c := &cobra.Command{
		Use:   "kubectl",
		Short: "Be a credential plugin of kubectl, helm, k9s and all that use client-go",
		Long: `Be a credential plugin of kubectl and of all that use client-go. A cluster that trusts
the issuer by OpenID Connect wants the ID token; one behind a proxy, or with a webhook,
mostly wants the access token.`,
		Example: `  kubectl config set-credentials me --exec-command=regrant \
      --exec-arg=helper --exec-arg=kubectl --exec-arg=--id-token \
      --exec-api-version=client.authentication.k8s.io/v1 --exec-interactive-mode=IfAvailable
  kubectl --user=me get pods`,
		Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error { return r.kubectl(c.Context()) },
	}
	c.Flags().BoolVar(&r.idToken, "id-token", false, "give the ID token, as OpenID Connect in the API server wants it")
	return c
}

func (a *app) helpGit() *cobra.Command {
	r := &helperRun{app: a}
	c := &cobra.Command{
		Use:   "git get|store|erase",
		Short: "Be a credential helper of git",
		Long: `Be a credential helper of git: the token is the password. If the server refuses it, the
next try has a renewed one. Nothing is kept for git, and a git that asks for another
host gets nothing.`,
		Example: `  git config --global credential.https://git.example.com.helper \
      '!regrant helper git --host git.example.com'`,
		Args:      exactlyOne("what git wants: get, store or erase"),
		ValidArgs: []string{"get", "store", "erase"},
		RunE:      func(c *cobra.Command, args []string) error { return r.git(c.Context(), args[0]) },
	}
	r.forHosts(c)
	return c
}

func (a *app) helpDocker() *cobra.Command {
	r := &helperRun{app: a}
	c := &cobra.Command{
		Use:   "docker get|store|erase|list",
		Short: "Be a credential helper of docker, podman and other clients of registries",
		Long: `Be a credential helper of docker: the token is the password. docker looks for a program
of the name docker-credential-NAME; make one of these two lines, on your PATH:

  #!/bin/sh
  exec regrant helper docker --host registry.example.com "$@"

and name it in ~/.docker/config.json:

  {"credHelpers": {"registry.example.com": "NAME"}}`,
		Args:      exactlyOne("what docker wants: get, store, erase or list"),
		ValidArgs: []string{"get", "store", "erase", "list"},
		RunE: func(c *cobra.Command, args []string) error {
			err := r.docker(c.Context(), args[0])
			code, hint := exit.Of(err)
			if code == exit.OK || code == exit.Usage {
				return err
			}
			// docker shows what comes by the standard output, and that alone.
			text := message(err)
			if !errors.Is(err, helper.ErrNotFound) { // whose text docker compares
				text += " (" + hint + ")"
			}
			a.ui.Out.Println(text)
			return exit.StatusError(exit.Failure)
		},
	}
	r.forHosts(c)
	return c
}

func (a *app) helpCurl() *cobra.Command {
	r := &helperRun{app: a}
	return &cobra.Command{
		Use:   "curl URL",
		Short: "Write a configuration for curl, so that the token is in no argument",
		Example: `  regrant helper curl https://api.example.com/me | curl --config -
  regrant helper curl https://api.example.com/things | curl --config - --data @thing.json`,
		Args: exactlyOne("the URL"),
		RunE: func(c *cobra.Command, args []string) error {
			return r.lend(c.Context(), func(token string, _ time.Time) error {
				if err := helper.WriteCurl(a.ui.Out.Raw(), args[0], token); err != nil {
					return exit.With(exit.Usage, "regrant helper curl --help", err)
				}
				return nil
			})
		},
	}
}

// forHosts adds what the helpers of programs need that ask for any host.
func (r *helperRun) forHosts(c *cobra.Command) {
	c.Flags().StringArrayVar((*[]string)(&r.hosts), "host", nil, "a host that gets the token, as HOST or HOST:PORT, again for each (required)")
	c.Flags().StringVar(&r.username, "username", "oauth2", "the user name that goes with it, if the server looks at that")
	c.PreRunE = func(*cobra.Command, []string) error {
		if len(r.hosts) == 0 {
			return exit.Usagef("add --host git.example.com", "the token goes to the hosts that are named, and none is")
		}
		if err := r.hosts.Check(); err != nil {
			return exit.With(exit.Usage, "", err)
		}
		if strings.ContainsAny(r.username, "\n\x00:") {
			return exit.Usagef("", "this cannot be a user name")
		}
		return nil
	}
}

// account opens a session, and uses the account that is meant.
func (r *helperRun) account(ctx context.Context, use func(*client.Account) error) error {
	a := r.app
	if a.ui.Out.Terminal() {
		return exit.Usagef("it is for programs: see regrant help helper", "the token is a secret, and this is a terminal")
	}
	return a.in(ctx, session.Options{}, func(s *session.Session) error {
		end := s.Await()
		err := use(s.Client.Account(a.accountName()))
		end()
		if errors.Is(err, helper.ErrNoIDToken) {
			return exit.With(exit.Configuration, "leave --id-token out, or log in for one: "+a.askFor(ctx, s, login.Identity(s.Profile)...), err)
		}
		return a.explain(err)
	})
}

// lend gives a token that works to use.
func (r *helperRun) lend(ctx context.Context, use func(token string, expiry time.Time) error) error {
	return r.account(ctx, func(me *client.Account) error {
		if r.idToken {
			raw, end, err := helper.IDToken(ctx, me)
			if err != nil {
				return err
			}
			return use(raw, end)
		}
		t, err := me.Token(ctx)
		if err != nil {
			return err
		}
		return use(t.AccessToken, t.Expiry)
	})
}

func (r *helperRun) kubectl(ctx context.Context) error {
	version, err := helper.KubeVersion(r.app.ui.Getenv(helper.KubeInfoVariable))
	if err != nil {
		return exit.With(exit.Usage, "", err)
	}
	return r.lend(ctx, func(token string, expiry time.Time) error {
		return helper.WriteKube(r.app.ui.Out.Raw(), version, token, expiry)
	})
}

func (r *helperRun) git(ctx context.Context, action string) error {
	a := r.app
	q, err := helper.ReadGit(a.ui.In)
	if err != nil {
		return exit.With(exit.Usage, "", err)
	}
	if !r.hosts.Has(q.Host) {
		return nil // git asks the next helper
	}
	switch action {
	case "get":
		err := q.Safe()
		if err == nil {
			err = r.lend(ctx, func(token string, expiry time.Time) error {
				username := r.username
				if q.Username != "" {
					username = q.Username // that of the URL
				}
				return helper.WriteGit(a.ui.Out.Raw(), username, token, expiry)
			})
		}
		if err != nil {
			return errors.Join(err, helper.QuitGit(a.ui.Out.Raw()))
		}
	case "erase":
		if q.Password != "" {
			return r.account(ctx, func(me *client.Account) error { return replace(ctx, me, q.Password) })
		}
	}
	return nil // store: it is kept already; others: for later versions of git
}

// replace renews a token that a server has refused, unless that has happened.
func replace(ctx context.Context, me *client.Account, refused string) error {
	_, err := me.Refresh(ctx, &oauth2.Token{AccessToken: refused})
	return err
}

func (r *helperRun) docker(ctx context.Context, action string) error {
	a := r.app
	switch action {
	case "list":
		all := map[string]string{}
		for _, host := range r.hosts {
			all[host] = r.username
		}
		return a.ui.Out.JSON(all)
	case "store":
		return r.dockerStore(ctx)
	case "get", "erase":
	default:
		return exit.Usagef("regrant helper docker --help", "docker wants %q, which nobody knows", action)
	}
	server, err := helper.ReadDockerServer(a.ui.In)
	if err != nil {
		return err
	}
	host, err := helper.RegistryHost(server)
	switch {
	case !r.hosts.Has(host):
		return helper.ErrNotFound
	case err != nil:
		return err
	case action == "erase":
		return fmt.Errorf("the grant stays: %s ends it", "regrant logout")
	}
	return r.lend(ctx, func(token string, _ time.Time) error {
		return a.ui.Out.JSON(helper.DockerCredentials{ServerURL: server, Username: r.username, Secret: token})
	})
}

// dockerStore keeps nothing. docker login offers what it was given before, which is
// no error; a password that somebody has typed is.
func (r *helperRun) dockerStore(ctx context.Context) error {
	offered, err := helper.ReadDockerCredentials(r.app.ui.In)
	if err != nil {
		return err
	}
	return r.lend(ctx, func(token string, _ time.Time) error {
		if offered.Secret != token {
			return errors.New("no password is kept for docker: regrant login logs in, and then docker login needs nothing")
		}
		return nil
	})
}
