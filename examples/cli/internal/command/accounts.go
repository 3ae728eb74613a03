package command

import (
	"cmp"

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
				Error    string `json:"error,omitempty"`
			}
			all := []account{}
			var errs []error
			for p, err := range profiles {
				var names []string
				if err == nil {
					names, err = a.names(c.Context(), p)
				}
				for _, name := range names {
					all = append(all, account{p.Name, name, p.Issuer, p.ClientID, ""})
				}
				if err != nil {
					all = append(all, account{p.Name, "", p.Issuer, p.ClientID, message(err)})
					errs = append(errs, of(p, err))
				}
			}
			failed := failures(errs)
			switch {
			case a.json:
				return cmp.Or(a.ui.Out.JSON(all), failed)
			case len(all) == 0:
				a.nobody()
				return nil
			}
			rows := make([][]string, len(all))
			for i, x := range all {
				name := ui.Bold(ui.Name(x.Account))
				if x.Error != "" {
					name = ui.Bad("(" + stateUnavailable + ")")
				}
				rows[i] = []string{x.Profile, name, ui.Name(x.Issuer), ui.Name(x.ClientID)}
			}
			a.ui.Out.Printf("%s", a.ui.Out.Table([]string{"PROFILE", "ACCOUNT", "ISSUER", "CLIENT"}, rows))
			return failed
		},
	}
}

// nobody says that there is nothing to list.
func (a *app) nobody() {
	a.ui.Err.Printf("Nobody is logged in. To begin: %s\n", ui.Accent("regrant login https://ISSUER --client-id ID"))
}
