package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/ui"
	"github.com/regrant/regrant/tokenstore"
)

// PassphraseVariable names the file with the passphrase of the store, for machines
// on which nobody can be asked.
const PassphraseVariable = "REGRANT_PASSPHRASE_FILE"

// tries is how often a person may mistype a passphrase.
const tries = 3

var errPassphrase = errors.New("this passphrase does not open what is kept")

// unlock makes the sealer of a store that keeps what it is given. It asks for a
// passphrase only if there is something to open, or about to be something to seal.
func (s *Session) unlock(ctx context.Context) error {
	sample, err := s.sample(ctx)
	switch {
	case err != nil:
		return exit.With(exit.Store, "", err)
	case sample == (tokenstore.Key{}) && !s.options.Login:
		s.Sealer = nothing{}
		return nil
	}
	if file := s.passphraseFile(); file != "" {
		return s.unlockBy(ctx, sample, func() (string, error) { return ReadSecretFile(file) })
	}
	if sample == (tokenstore.Key{}) {
		return s.unlockBy(ctx, sample, func() (string, error) {
			return NewPassphrase(ctx, s.ui, "New passphrase for the grants of this machine: ")
		})
	}
	for i := 1; ; i++ {
		err := s.unlockBy(ctx, sample, func() (string, error) {
			return s.ui.AskSecret(ctx, "Passphrase of the grants: ")
		})
		if !errors.Is(err, errPassphrase) || i == tries {
			return err
		}
		s.ui.Err.Println("This passphrase does not open what is kept. Try again.")
	}
}

// unlockBy makes the sealer of a passphrase, and tries it on what is kept.
func (s *Session) unlockBy(ctx context.Context, sample tokenstore.Key, passphrase func() (string, error)) error {
	text, err := passphrase()
	switch {
	case errors.Is(err, ui.ErrNoTerminal):
		return exit.With(exit.Store, "set "+PassphraseVariable+" to the path of a file with the passphrase",
			fmt.Errorf("the grants are sealed with a passphrase, and %w", err))
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return exit.With(exit.Store, "", err)
	}
	if s.Sealer, err = NewSealer(text); err != nil {
		return exit.With(exit.Store, "", err)
	}
	if sample == (tokenstore.Key{}) || s.options.Unverified {
		return nil
	}
	data, _, err := s.Store.Load(ctx, sample)
	if err != nil {
		return nil //nolint:nilerr // what is wrong with it is for the command to say
	}
	if _, err := s.Sealer.Decrypt(data, sample.AssociatedData()); err != nil {
		return exit.With(exit.Store, "is it another one, or was it changed by regrant reseal?", fmt.Errorf("%w: %w", errPassphrase, err))
	}
	return nil
}

// sample returns the key of a record, zero if there is none.
func (s *Session) sample(ctx context.Context) (tokenstore.Key, error) {
	for key, err := range s.Store.(tokenstore.Lister).List(ctx, tokenstore.Key{}) {
		if err == nil {
			return key, nil
		}
		if key == (tokenstore.Key{}) && !errors.Is(err, tokenstore.ErrUnreadable) {
			return key, err
		}
	}
	return tokenstore.Key{}, nil
}

// PassphraseFrom returns the file that the passphrase came from, "" if it was asked for.
func (s *Session) PassphraseFrom() string { return s.passphraseFile() }

func (s *Session) passphraseFile() string {
	if file := s.ui.Getenv(PassphraseVariable); file != "" {
		return file
	}
	return s.Profile.PassphraseFile
}

// NewPassphrase asks for a passphrase that does not exist yet, twice.
func NewPassphrase(ctx context.Context, u *ui.UI, question string) (string, error) {
	for {
		first, err := u.AskSecret(ctx, question)
		if err != nil {
			return "", err
		}
		if first == "" {
			return "", errors.New("an empty passphrase protects nothing")
		}
		again, err := u.AskSecret(ctx, "The same again: ")
		if err != nil {
			return "", err
		}
		if first == again {
			return first, nil
		}
		u.Err.Println("These are two different passphrases. Try again.")
	}
}

// NewSealer returns the Sealer of a passphrase. 32 bytes in Base64, as "openssl rand
// -base64 32" makes them, are a key already: nothing has to be derived from them, which
// takes a fifth of a second and 64 MiB.
func NewSealer(passphrase string) (tokenstore.Sealer, error) {
	if key, err := base64.StdEncoding.DecodeString(passphrase); err == nil && len(key) == 32 {
		return tokenstore.NewSealer(key)
	}
	return tokenstore.NewPassphraseSealer(passphrase)
}

// ReadSecretFile returns the content of a file without the newline that editors add.
func ReadSecretFile(path string) (string, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return "", err
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return secret, nil
}

// nothing is the Sealer where there is nothing to seal and to open.
type nothing struct{}

var errNothing = errors.New("no passphrase was asked for")

func (nothing) Encrypt([]byte, []byte) ([]byte, error) { return nil, errNothing }
func (nothing) Decrypt([]byte, []byte) ([]byte, error) { return nil, errNothing }
