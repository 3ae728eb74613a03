package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regrant/regrant/examples/cli/internal/child"
	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/ui"
	"github.com/regrant/regrant/transport"
)

// The variables of a program that is run.
const (
	tokenVariable  = "REGRANT_TOKEN"
	socketVariable = "REGRANT_TOKEN_SOCKET"
	fileVariable   = "REGRANT_TOKEN_FILE"
)

// An execRun is what the flags of an exec say.
type execRun struct {
	app          *app
	variables    []string
	socket, file bool
	fresh        bool
}

func (a *app) exec() *cobra.Command {
	r := &execRun{app: a}
	c := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a program that finds the token in its environment",
		Long: `Run a program with the access token of an account in the variable ` + tokenVariable + `, or in
those that --env names. Its exit code is that of regrant, and signals are its own.

A variable stays as it is for as long as the program runs. One that runs for longer
than a token lives gets it from
  --socket   whoever connects to the socket $` + socketVariable + ` reads one line,
             the token
  --file     the file $` + fileVariable + ` has the token, and is replaced before
             it ends
Both belong to the user alone, end with the program, and keep the token out of the
environment.`,
		Example: `  regrant exec --env GITHUB_TOKEN -- gh repo list
  regrant exec --env TF_VAR_token -- terraform plan
  regrant exec --file -- sh -c 'my-agent --token-file "$` + fileVariable + `"'`,
		Args: atLeast(1, "the program to run"),
		RunE: func(c *cobra.Command, args []string) error { return r.run(c.Context(), args) },
	}
	f := c.Flags()
	f.SetInterspersed(false) // what comes after the program is the program's
	f.StringArrayVarP(&r.variables, "env", "e", nil, "the variable for the token, again for each; none: "+tokenVariable)
	f.BoolVar(&r.socket, "socket", false, "lend the token by a socket, renewed")
	f.BoolVar(&r.file, "file", false, "lend the token in a file, renewed")
	f.BoolVar(&r.fresh, "fresh", false, "renew the token first, so that it lasts")
	return c
}

func (r *execRun) run(ctx context.Context, command []string) error {
	for _, name := range r.variables {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return exit.Usagef("regrant exec --help", "--env %q is not the name of a variable", ui.Name(name))
		}
	}
	if len(r.variables) == 0 && !r.socket && !r.file {
		r.variables = []string{tokenVariable}
	}
	environ := r.app.ui.Environ()
	if !r.socket && !r.file {
		token := ""
		err := r.app.in(ctx, session.Options{}, func(s *session.Session) (err error) {
			token, _, err = r.token(s.Source(r.app.accountName()))(ctx)
			return err
		})
		if err != nil {
			return err
		}
		return child.Become(command, r.with(environ, token))
	}
	return r.app.in(ctx, session.Options{Background: true}, func(s *session.Session) error {
		return r.lend(ctx, s, command, environ)
	})
}

// token returns the source of tokens of the account.
func (r *execRun) token(me transport.Refresher) child.Source {
	return func(ctx context.Context) (string, time.Time, error) {
		get := me.Token
		if r.fresh {
			get, r.fresh = renewed(me), false
		}
		t, err := get(ctx)
		if err != nil {
			return "", time.Time{}, r.app.explain(err)
		}
		return t.AccessToken, t.Expiry, nil
	}
}

// with returns an environment with the token in it.
func (r *execRun) with(environ []string, token string) []string {
	for _, name := range r.variables {
		environ = append(slices.DeleteFunc(environ, func(e string) bool { return strings.HasPrefix(e, name+"=") }), name+"="+token)
	}
	return environ
}

// lend runs the program, and renews the token meanwhile. A signal is for the program
// to obey: this one ends after it.
func (r *execRun) lend(ctx context.Context, s *session.Session, command, environ []string) (err error) {
	source := r.token(s.Source(r.app.accountName()))
	token, _, err := source(ctx) // what cannot work is said before anything runs
	if err != nil {
		return err
	}
	source = r.token(s.Client.Account(r.app.accountName())) // without a word: the program has the terminal
	environ = r.with(environ, token)
	ctx = context.WithoutCancel(ctx)
	runtime := r.app.ui.Getenv("XDG_RUNTIME_DIR")
	for _, way := range []struct {
		wanted   bool
		variable string
		lend     func(context.Context, string, child.Source, func(error)) (*child.Loan, error)
	}{{r.socket, socketVariable, child.Socket}, {r.file, fileVariable, child.File}} {
		if !way.wanted {
			continue
		}
		loan, err := way.lend(ctx, runtime, source, r.warn)
		if err != nil {
			return fmt.Errorf("the token cannot be lent: %w", err)
		}
		defer func() { err = errors.Join(err, loan.End()) }()
		environ = append(environ, way.variable+"="+loan.Path)
	}
	return child.Run(command, environ, os.Stdin, os.Stdout, os.Stderr, r.app.ui.Interactive())
}

// warn tells of a token that could not be renewed, while the program runs.
func (r *execRun) warn(err error) { _ = r.app.report(err) }
