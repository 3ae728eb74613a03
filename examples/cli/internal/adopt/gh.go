package adopt

import (
	"errors"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/oauth2"
)

// ghClientID is that of the OAuth app of gh, a public client
// (https://github.com/cli/cli, internal/authflow/flow.go).
const ghClientID = "178c6fc778ccc68e1d6a"

// GHFile is where gh keeps what it keeps outside of the keychain
// (https://cli.github.com/manual/gh_help_environment, GH_CONFIG_DIR).
func GHFile(getenv func(string) string) string {
	switch {
	case getenv("GH_CONFIG_DIR") != "":
		return filepath.Join(getenv("GH_CONFIG_DIR"), "hosts.yml")
	case getenv("XDG_CONFIG_HOME") != "":
		return filepath.Join(getenv("XDG_CONFIG_HOME"), "gh", "hosts.yml")
	case runtime.GOOS == "windows" && getenv("AppData") != "":
		return filepath.Join(getenv("AppData"), "GitHub CLI", "hosts.yml")
	}
	return filepath.Join(home(getenv), ".config", "gh", "hosts.yml")
}

func home(getenv func(string) string) string {
	if runtime.GOOS == "windows" {
		return getenv("USERPROFILE")
	}
	return getenv("HOME")
}

// A ghUser is what gh keeps of a user (https://github.com/cli/cli, internal/config:
// oauth_token has no end, and refreshable_oauth_token, which is newer, has one).
type ghUser struct {
	Token       string `yaml:"oauth_token"`
	Refreshable struct {
		AccessToken  string    `yaml:"access_token"`
		RefreshToken string    `yaml:"refresh_token"`
		ExpiresAt    time.Time `yaml:"expires_at"`
	} `yaml:"refreshable_oauth_token"`
}

// GH reads hosts.yml of gh. Tokens that gh keeps in the keychain are not in it.
func GH(path string, data []byte) ([]Grant, []Miss, error) {
	var hosts map[string]struct {
		ghUser `yaml:",inline"`

		User  string            `yaml:"user"`
		Users map[string]ghUser `yaml:"users"`
	}
	if len(data) > most || yaml.Unmarshal(data, &hosts) != nil {
		return nil, nil, errors.New("it is not a hosts.yml of gh") // the error would repeat a part of it
	}
	var grants []Grant
	var missed []Miss
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		h := hosts[host]
		if len(h.Users) == 0 {
			h.Users = map[string]ghUser{h.User: h.ghUser} // of gh before 2.40
		}
		for _, name := range slices.Sorted(maps.Keys(h.Users)) {
			u := h.Users[name]
			if u.Token == "" && u.Refreshable.AccessToken == "" && name == h.User {
				u = h.ghUser
			}
			g := Grant{Path: path, Program: "gh", Issuer: "https://" + host, ClientID: ghClientID, User: name, After: afterGH}
			switch r := u.Refreshable; {
			case r.RefreshToken != "":
				g.Token = &oauth2.Token{AccessToken: r.AccessToken, RefreshToken: r.RefreshToken, Expiry: r.ExpiresAt}
				g.After = "log out of gh there: its refresh token is single-use, and the two would end each other's login"
			case u.Token != "":
				g.Token = &oauth2.Token{AccessToken: u.Token}
			default:
				missed = append(missed, Miss{path, "the token of " + name + " at " + host + " is in the keychain, to which gh has the key"})
				continue
			}
			grants = append(grants, g)
		}
	}
	return grants, missed, nil
}
