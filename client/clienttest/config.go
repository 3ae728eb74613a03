package clienttest

import (
	"crypto/rand"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// Config returns the configuration of a public client of this server: the first
// of Options.Clients without a secret. Each call brings a new, empty memstore and
// a new random Sealer; set Store to share one.
func (s *Server) Config() client.Config {
	return s.config(func(c Client) bool { return c.AuthMethod == authNone })
}

// ConfidentialConfig is Config for the first client with a secret.
func (s *Server) ConfidentialConfig() client.Config {
	return s.config(func(c Client) bool { return c.AuthMethod != authNone })
}

func (s *Server) config(fits func(Client) bool) client.Config {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	sealer, err := tokenstore.NewSealer(key)
	if err != nil {
		panic(err) // the key has the right length
	}
	cfg := client.Config{
		Issuer:     s.issuer,
		Store:      memstore.New(),
		Sealer:     sealer,
		HTTPClient: s.HTTPClient(),
	}
	opts := s.opts.Load()
	if p := opts.profile; p != nil {
		cfg.Provider = p.Name
		if !p.Discovery && s.places == nil { // on the network it is nowhere near the provider's hosts
			cfg.Endpoint = s.Endpoint()
			cfg.Endpoint.AuthStyle = oauth2.AuthStyleAutoDetect // the profile says
			if opts.revokes() {
				cfg.RevocationURL = s.URL(RevokePath)
			}
		}
	}
	for _, c := range opts.Clients {
		if fits(c) {
			cfg.ClientID = c.ID
			if c.Secret != "" {
				cfg.Auth = client.Secret(c.Secret)
			}
			break
		}
	}
	return cfg
}
