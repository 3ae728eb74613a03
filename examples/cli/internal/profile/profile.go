// Package profile keeps what the program has to know about a server and about
// itself, without a secret: one file in TOML for each profile.
//
//	issuer    = "https://login.example.com"
//	client-id = "my-cli"
//	provider  = "keycloak"                     # what the server is; left out: known by its issuer, or not at all
//	scopes    = ["openid", "offline_access"]   # left out: what the server offers of these two
//	store     = "keyring"                      # or "file", "sqlite"
//	path      = "/home/me/grants"              # of the files or the database; left out: the user's data directory
//	redirect-url    = "http://127.0.0.1:8085/callback"    # if the server insists on one
//	passphrase-file = "/run/secrets/passphrase"           # of file and sqlite; left out: it is asked for
//
//	[params]                                   # of authorization requests
//	access_type = "offline"
//
//	[client-secret]                            # where it is; left out: a public client
//	file = "/run/secrets/client-secret"        # or env = "NAME", or kept = true: sealed, with the grants
//
//	[endpoint]                                 # of a server without discovery
//	authorization = "https://…"
//	token         = "https://…"
//	device        = "https://…"
//	revocation    = "https://…"
//
// A person may edit it. A name that is not known is an error, so that a slip of the
// pen is seen.
package profile

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/regrant/regrant/client/provider"
)

// Default is the profile, and the account, of those who have only one.
const Default = "default"

// The stores.
const (
	Keyring = "keyring"
	File    = "file"
	SQLite  = "sqlite"
)

// A Profile is one client at one authorization server.
type Profile struct {
	Name string `json:"profile" toml:"-"`

	Issuer         string            `json:"issuer"                    toml:"issuer"`
	ClientID       string            `json:"client_id"                 toml:"client-id"`
	Provider       string            `json:"provider,omitempty"        toml:"provider,omitempty"`
	Scopes         []string          `json:"scopes,omitempty"          toml:"scopes,omitempty"`
	Store          string            `json:"store"                     toml:"store"`
	Path           string            `json:"path,omitempty"            toml:"path,omitempty"`
	RedirectURL    string            `json:"redirect_url,omitempty"    toml:"redirect-url,omitempty"`
	PassphraseFile string            `json:"passphrase_file,omitempty" toml:"passphrase-file,omitempty"`
	Params         map[string]string `json:"params,omitempty"          toml:"params,omitempty"`
	ClientSecret   SecretRef         `json:"client_secret,omitzero"    toml:"client-secret,omitempty"`
	Endpoint       Endpoint          `json:"endpoint,omitzero"         toml:"endpoint,omitempty"`
}

// SamePlace tells whether both keep their accounts under the same names.
func (p *Profile) SamePlace(other Profile) bool {
	return p.Issuer == other.Issuer && p.ClientID == other.ClientID && p.Store == other.Store && p.Path == other.Path
}

// Known returns what is known about the server, nil if that is nothing: as
// client.Config.Provider, which "none" switches off.
func (p *Profile) Known() *provider.Profile {
	switch p.Provider {
	case "":
		return provider.Lookup(p.Issuer)
	case "none":
		return nil
	}
	if known := provider.ByName(p.Provider); known != nil {
		return known.At(p.Issuer)
	}
	return nil
}

// A SecretRef tells where the client secret is. Zero: there is none.
type SecretRef struct {
	Env  string `json:"env,omitempty"  toml:"env,omitempty"`
	File string `json:"file,omitempty" toml:"file,omitempty"`
	Kept bool   `json:"kept,omitempty" toml:"kept,omitempty"` // sealed in the store
}

// An Endpoint is that of a server without discovery. Zero: it has one.
type Endpoint struct {
	Authorization string `json:"authorization,omitempty" toml:"authorization,omitempty"`
	Token         string `json:"token,omitempty"         toml:"token,omitempty"`
	Device        string `json:"device,omitempty"        toml:"device,omitempty"`
	Revocation    string `json:"revocation,omitempty"    toml:"revocation,omitempty"`
}

// name is what a profile can be called: it becomes the name of a file, on any system.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName tells what is wrong with the name of a profile.
func CheckName(s string) error {
	if !name.MatchString(s) {
		return fmt.Errorf("%q cannot be the name of a profile: use up to 64 letters, digits, dots, hyphens and underscores", s)
	}
	return nil
}

// Check tells what is wrong with the file, apart from what client.New looks at.
func (p *Profile) Check() error {
	refs := 0
	for _, set := range []bool{p.ClientSecret.Env != "", p.ClientSecret.File != "", p.ClientSecret.Kept} {
		if set {
			refs++
		}
	}
	switch {
	case p.Issuer == "":
		return fmt.Errorf("there is no issuer")
	case p.ClientID == "":
		return fmt.Errorf("there is no client-id")
	case !slices.Contains([]string{Keyring, File, SQLite}, p.Store):
		return fmt.Errorf("store is %q: it can be %s, %s or %s", p.Store, Keyring, File, SQLite)
	case refs > 1:
		return fmt.Errorf("client-secret names more than one place: choose env, file or kept")
	}
	return nil
}
