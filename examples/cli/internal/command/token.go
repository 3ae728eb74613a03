package command

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/session"
	"github.com/regrant/regrant/transport"
)

func (a *app) token() *cobra.Command {
	var force, renew bool
	c := &cobra.Command{
		Use:   "token",
		Short: "Print an access token that works now",
		Long: `Print an access token that works now, renewed if need be, and nothing else. A
terminal does not get it unless --force is given: what is on a screen is seen, and
stays where it scrolls to.`,
		Example: `  regrant token | my-program --token-file /dev/stdin
  regrant token --json | jq -r .expiry`,
		Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if a.ui.Out.Terminal() && !force {
				return exit.Usagef("regrant token | COMMAND, or regrant call URL, or add --force", "the access token is a secret, and this is a terminal")
			}
			return a.in(c.Context(), session.Options{}, func(s *session.Session) error {
				me := s.Source(a.accountName())
				get := me.Token
				if renew {
					get = renewed(me)
				}
				t, err := get(c.Context())
				if err != nil {
					return a.explain(err)
				}
				if a.json {
					return a.ui.Out.JSON(struct {
						AccessToken string    `json:"access_token"`
						TokenType   string    `json:"token_type"`
						Expiry      time.Time `json:"expiry,omitzero"`
					}{t.AccessToken, t.Type(), t.Expiry})
				}
				_, err = fmt.Fprintln(a.ui.Out, t.AccessToken)
				return err
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "print it on a terminal, too")
	c.Flags().BoolVar(&renew, "refresh", false, "renew it first, whether or not that is needed")
	return c
}

// renewed is Token, but for a renewal in any case.
func renewed(me transport.Refresher) func(context.Context) (*oauth2.Token, error) {
	return func(ctx context.Context) (*oauth2.Token, error) { return me.Refresh(ctx, nil) }
}
