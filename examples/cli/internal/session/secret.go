package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/tokenstore"
)

// secretKey names the client secret in the store. Its ClientID is that of no
// client, so no account is called like it.
func (s *Session) secretKey() tokenstore.Key {
	return tokenstore.Key{Issuer: s.Profile.Issuer, ClientID: "regrant:client-secret", Account: s.Profile.ClientID}
}

// clientSecret returns the client secret, which is asked for at every request.
func (s *Session) clientSecret(ctx context.Context) (string, error) {
	ref := s.Profile.ClientSecret
	switch {
	case s.secret != "":
	case ref.Env != "":
		s.secret = s.ui.Getenv(ref.Env)
		if s.secret == "" {
			return "", exit.With(exit.Configuration, "set it, or keep the secret with the grants: regrant login --client-secret", fmt.Errorf("the variable %s, which has the client secret, is not set", ref.Env))
		}
	case ref.File != "":
		return ReadSecretFile(ref.File) // it may change
	default:
		return s.keptSecret(ctx)
	}
	return s.secret, nil
}

// ErrNoSecret says that the client secret, which was kept once, is gone.
var ErrNoSecret = errors.New("the client secret is not kept any more")

func (s *Session) keptSecret(ctx context.Context) (string, error) {
	key := s.secretKey()
	data, _, err := s.Store.Load(ctx, key)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return "", ErrNoSecret
	}
	if err == nil && s.Sealer != nil {
		data, err = s.Sealer.Decrypt(data, key.AssociatedData())
	}
	if err != nil {
		return "", fmt.Errorf("the client secret cannot be read: %w", err)
	}
	return string(data), nil
}

// ClientSecret returns the client secret of the profile.
func (s *Session) ClientSecret(ctx context.Context) (string, error) { return s.clientSecret(ctx) }

// HasSecret tells whether the client secret can be had, if the profile says that it is kept.
func (s *Session) HasSecret(ctx context.Context) (bool, error) {
	if !s.Profile.ClientSecret.Kept || s.secret != "" {
		return true, nil
	}
	_, err := s.keptSecret(ctx)
	if errors.Is(err, ErrNoSecret) {
		return false, nil
	}
	return err == nil, err
}

// UseSecret gives the session a client secret that is not kept yet.
func (s *Session) UseSecret(secret string) { s.secret = secret }

// ForgetSecret deletes the client secret from the store, and tells whether it was there.
func (s *Session) ForgetSecret(ctx context.Context) (bool, error) {
	key := s.secretKey()
	for {
		_, v, err := s.Store.Load(ctx, key)
		switch {
		case errors.Is(err, tokenstore.ErrNotFound):
			return false, nil
		case err != nil && v == "":
			return false, err
		}
		if err = s.Store.Delete(ctx, key, v); !errors.Is(err, tokenstore.ErrConflict) {
			return err == nil, err
		}
	}
}

// KeepSecret seals the client secret that the session was opened with into the store.
func (s *Session) KeepSecret(ctx context.Context) error {
	key := s.secretKey()
	data := []byte(s.secret)
	if s.Sealer != nil {
		var err error
		if data, err = s.Sealer.Encrypt(data, key.AssociatedData()); err != nil {
			return err
		}
	}
	for {
		_, v, err := s.Store.Load(ctx, key)
		if err != nil && v == "" && !errors.Is(err, tokenstore.ErrNotFound) {
			return err
		}
		if _, err = s.Store.Save(ctx, key, data, v); !errors.Is(err, tokenstore.ErrConflict) {
			return err
		}
	}
}
