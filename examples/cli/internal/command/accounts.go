package command

import (
	"github.com/spf13/cobra"

	"github.com/regrant/regrant/examples/cli/internal/ui"
)

func (a *app) accounts() *cobra.Command {
	return &cobra.Command{
		Use:   "accounts",
		Short: "List the accounts that are kept, without opening them",
		Args:  atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			profiles, err := a.profiles()
			if err != nil {
				return err
			}
			type account struct {
				Profile  string `json:"profile"`
				Account  string `json:"account"`
				Issuer   string `json:"issuer"`
				ClientID string `json:"client_id"`
			}
			all := []account{}
			for _, p := range profiles {
				names, err := a.names(c.Context(), p)
				if err != nil {
					return err
				}
				for _, name := range names {
					all = append(all, account{p.Name, name, p.Issuer, p.ClientID})
				}
			}
			switch {
			case a.json:
				return a.ui.Out.JSON(all)
			case len(all) == 0:
				a.nobody()
				return nil
			}
			rows := make([][]string, len(all))
			for i, x := range all {
				rows[i] = []string{x.Profile, ui.Bold(ui.Name(x.Account)), ui.Name(x.Issuer), ui.Name(x.ClientID)}
			}
			a.ui.Out.Printf("%s", a.ui.Out.Table([]string{"PROFILE", "ACCOUNT", "ISSUER", "CLIENT"}, rows))
			return nil
		},
	}
}

// nobody says that there is nothing to list.
func (a *app) nobody() {
	a.ui.Err.Printf("Nobody is logged in. To begin: %s\n", ui.Accent("regrant login https://ISSUER --client-id ID"))
}
