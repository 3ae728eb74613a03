package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/examples/cli/internal/ui"
	"github.com/regrant/regrant/tokenstore"
)

func (a *app) reseal() *cobra.Command {
	file := ""
	c := &cobra.Command{
		Use:   "reseal",
		Short: "Change the passphrase of the grants",
		Long: `Seal everything that the store of a profile keeps with another passphrase, which is
asked for twice, or is in the file of --new-passphrase-file. Other shells can work
meanwhile with the old one until their record has its turn. If it is interrupted,
run it again.

A keychain has a key of its own instead of a passphrase: there is nothing to change.`,
		Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.in(c.Context(), session.Options{Unverified: true}, func(s *session.Session) error {
				return a.resealed(c.Context(), s, file)
			})
		},
	}
	c.Flags().StringVar(&file, "new-passphrase-file", "", "a file with the new passphrase; none: it is asked for")
	return c
}

func (a *app) resealed(ctx context.Context, s *session.Session, file string) error {
	if s.Sealer == nil {
		return exit.Usagef("", "the grants of %q are in the keychain, which has a key of its own and no passphrase", s.Profile.Name)
	}
	next, err := a.newPassphrase(ctx, file)
	if err != nil {
		return err
	}
	sealer, err := session.NewSealer(next)
	if err != nil {
		return exit.With(exit.Usage, "", err)
	}
	both, err := tokenstore.NewRotation(sealer, s.Sealer)
	if err != nil {
		return err
	}
	done := 0
	var failed error
	for key, err := range tokenstore.Reseal(ctx, s.Store, both) {
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s stays as it is: %w", ui.Name(key.Account), err))
			continue
		}
		done++
	}
	if failed != nil {
		return exit.With(exit.Store, "regrant reseal, with the same new passphrase, does the rest", failed)
	}
	if a.json {
		return a.ui.Out.JSON(struct {
			Resealed int `json:"resealed"`
		}{done})
	}
	a.sayf("%s Sealed %d records with the new passphrase.", ui.Good("✓"), done)
	if from := s.PassphraseFrom(); from != "" {
		a.sayf("%s The old one is still in %s: put the new one there.", ui.Warn("!"), ui.Name(from))
	}
	return nil
}

func (a *app) newPassphrase(ctx context.Context, file string) (string, error) {
	if file != "" {
		secret, err := session.ReadSecretFile(file)
		if err != nil {
			return "", exit.With(exit.Usage, "", err)
		}
		return secret, nil
	}
	secret, err := session.NewPassphrase(ctx, a.ui, "New passphrase: ")
	if errors.Is(err, ui.ErrNoTerminal) {
		return "", exit.With(exit.Usage, "--new-passphrase-file FILE", err)
	}
	return secret, err
}
