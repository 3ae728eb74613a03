package login

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"

	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/profile"
)

// Merge returns the profile for a login: old, if it could be loaded, with what fresh
// says instead. changed tells whether it has to be saved.
func Merge(old, fresh profile.Profile, loadErr error) (p profile.Profile, changed bool, err error) {
	first := errors.Is(loadErr, fs.ErrNotExist)
	switch {
	case first:
		old = profile.Profile{Name: fresh.Name, Store: profile.Keyring}
	case loadErr != nil:
		return p, false, exit.With(exit.Configuration, "", loadErr)
	case fresh.Issuer != "" && fresh.Issuer != old.Issuer:
		return p, false, exit.Usagef("give the other server a name of its own: add --profile NAME",
			"the profile %q is that of %s", old.Name, old.Issuer)
	case fresh.ClientID != "" && fresh.ClientID != old.ClientID:
		return p, false, exit.Usagef("give the other client a name of its own: add --profile NAME",
			"the profile %q is that of the client %q", old.Name, old.ClientID)
	}
	p = old
	set(&p.Issuer, fresh.Issuer)
	set(&p.ClientID, fresh.ClientID)
	set(&p.Provider, fresh.Provider)
	set(&p.Store, fresh.Store)
	set(&p.Path, fresh.Path)
	set(&p.PassphraseFile, fresh.PassphraseFile)
	set(&p.RedirectURL, fresh.RedirectURL)
	set(&p.ClientSecret, fresh.ClientSecret)
	set(&p.Endpoint, fresh.Endpoint)
	if fresh.Scopes != nil {
		p.Scopes = fresh.Scopes
	}
	if fresh.Params != nil {
		p.Params = fresh.Params
	}
	if known := p.Known(); known != nil && p.Issuer == "" && len(known.Issuers) == 1 && !strings.Contains(known.Issuers[0], "{") {
		p.Issuer = known.Issuers[0]
	}
	switch {
	case p.Issuer == "":
		return p, false, exit.Usagef(Command(p.Name, profile.Default, "https://ISSUER", "--client-id", "ID"), "at which server? There is no profile %q yet", p.Name)
	case p.ClientID == "":
		return p, false, exit.Usagef("add --client-id ID; the server gives one to each program that is registered with it", "the first login at a server needs a client identifier")
	}
	if err := errors.Join(profile.CheckName(p.Name), p.Check()); err != nil {
		return p, false, exit.With(exit.Usage, "regrant login --help", fmt.Errorf("this cannot be: %w", err))
	}
	return p, first || !reflect.DeepEqual(p, old), nil
}

func set[T comparable](old *T, fresh T) {
	var zero T
	if fresh != zero {
		*old = fresh
	}
}
