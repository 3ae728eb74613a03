package command

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/tokenstore"
)

// complete completes the names of profiles and accounts, and takes nothing else
// for the name of a file.
func (a *app) complete(root *cobra.Command) {
	flag := func(name string, list func(context.Context) []string) {
		// It cannot fail: the flag is there.
		_ = root.RegisterFlagCompletionFunc(name, func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return list(c.Context()), cobra.ShellCompDirectiveNoFileComp
		})
	}
	flag("profile", func(context.Context) []string {
		dir, err := a.dir()
		if err != nil {
			return nil
		}
		all, _ := dir.List() // nothing is completed then
		return all
	})
	flag("as", func(ctx context.Context) []string {
		p, err := a.load()
		if err != nil {
			return nil
		}
		all, _ := a.names(ctx, p) // as above
		return all
	})
}

// names returns the names of the accounts of a profile. Nothing is opened for them,
// and nobody asked for a passphrase.
func (a *app) names(ctx context.Context, p profile.Profile) (all []string, err error) {
	s, err := session.NewOpener(a.ui, nil).Open(ctx, p, session.Options{Names: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	match := tokenstore.Key{Issuer: p.Issuer, ClientID: p.ClientID}
	for key, err := range s.Store.(tokenstore.Lister).List(ctx, match) {
		if key.Account == "" {
			return all, err
		}
		all = append(all, key.Account) // also of a record that cannot be read
	}
	slices.Sort(all)
	return all, nil
}
