package keyringstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/zalando/go-keyring"

	"github.com/regrant/regrant/tokenstore"
)

// keySize is the length of the key in bytes.
const keySize = 32

// held is a key that the keychain has given.
type held struct {
	account string
	sealer  tokenstore.Sealer
}

// accountOf returns the account name under which a key lies in the keychain. It is
// made from the key, so two keys never take each other's place there, whoever
// makes them at the same time, and a wrong one is told from the right one.
func accountOf(key []byte) string {
	sum := sha256.Sum256(append([]byte("regrant keyringstore account\x00"), key...))
	return "regrant-key-" + hex.EncodeToString(sum[:16])
}

// A key is text in the keychain, since some of them do not keep any bytes.
func encode(key []byte) string { return base64.RawURLEncoding.EncodeToString(key) }

// missing says that the keychain does not have the key that the directory names.
// Without sealed files nothing is lost by that.
type missing struct {
	named tokenstore.Version // of the name in the directory
	why   string
}

func (m *missing) Error() string { return m.why }

// sealer returns what seals and opens the files: with the key that this process
// has, if it is the one that the directory names, or else from the keychain.
func (s *Store) sealer(ctx context.Context, f *files) (tokenstore.Sealer, error) {
	name, v, err := f.Load(ctx, entry)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil, &missing{v, "the file that says which key it is has gone"}
	case errors.Is(err, tokenstore.ErrUnreadable):
		return nil, &missing{v, "the file that says which key it is cannot be read: " + err.Error()}
	case err != nil:
		return nil, err
	}
	account := string(name)
	if sealer := s.remembered(account); sealer != nil {
		return sealer, nil
	}
	secret, err := s.calls.do(ctx, account, func() (string, error) {
		return patiently(func() (string, error) { return s.chain.Get(s.name, account) })
	})
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, &missing{v, fmt.Sprintf("the keychain has no entry %q of account %q", s.name, account)}
	}
	if err != nil {
		return nil, explain(err)
	}
	sealer, err := s.accept(account, secret)
	if err != nil {
		return nil, &missing{v, fmt.Sprintf("the keychain has something else in the entry %q of account %q", s.name, account)}
	}
	return sealer, nil
}

// sealerOrNew makes a key if there is none. The lock of entry is held.
func (s *Store) sealerOrNew(ctx context.Context, f *files) (tokenstore.Sealer, error) {
	sealer, err := s.sealer(ctx, f)
	m, gone := errors.AsType[*missing](err)
	if !gone {
		return sealer, err
	}
	switch kept, err := f.sealed(ctx); {
	case err != nil:
		return nil, err
	case kept:
		return nil, f.lost(m)
	}
	return s.create(ctx, f, m.named)
}

// create makes a key. Its name comes first, so that a process that is killed, or
// has no patience with the keychain, leaves nothing in it that nobody knows.
func (s *Store) create(ctx context.Context, f *files, old tokenstore.Version) (tokenstore.Sealer, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails
	account := accountOf(key)
	if _, err := f.Save(ctx, entry, []byte(account), old); err != nil {
		return nil, err
	}
	secret, err := s.calls.do(ctx, account, func() (string, error) {
		_, err := patiently(func() (string, error) { return "", s.chain.Set(s.name, account, encode(key)) })
		if err != nil {
			return "", err
		}
		// A keychain can say yes and keep nothing (zalando/go-keyring#153).
		return patiently(func() (string, error) { return s.chain.Get(s.name, account) })
	})
	if err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return nil, explain(err)
	}
	sealer, err := s.accept(account, secret)
	if err != nil {
		return nil, errors.New("keyringstore: the keychain took the key, and does not give it back: nothing was sealed with it; see whether other programs can keep passwords in it")
	}
	return sealer, nil
}

// accept makes a sealer of what the keychain has given, and remembers it, if it is
// the key of this account.
func (s *Store) accept(account, secret string) (tokenstore.Sealer, error) {
	key, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil || accountOf(key) != account {
		return nil, errors.New("this is another key")
	}
	sealer, err := tokenstore.NewSealer(key)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = held{account, sealer}
	return sealer, nil
}

func (s *Store) remembered(account string) tokenstore.Sealer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key.account != account {
		return nil
	}
	return s.key.sealer
}

// ready tells whether a grant could be saved, as far as can be known without doing
// it.
func (s *Store) ready(ctx context.Context, f *files) error {
	_, err := s.sealer(ctx, f)
	m, gone := errors.AsType[*missing](err)
	if !gone {
		return err
	}
	switch kept, err := f.sealed(ctx); {
	case err != nil:
		return err
	case kept:
		return f.lost(m)
	}
	return s.probe(ctx)
}

// probe asks the keychain for something that it does not have.
func (s *Store) probe(ctx context.Context) error {
	s.mu.Lock()
	probed := s.probed
	s.mu.Unlock()
	if probed {
		return nil
	}
	const nobody = "regrant-key-none"
	_, err := s.calls.do(ctx, nobody, func() (string, error) { return s.chain.Get(s.name, nobody) })
	if err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return explain(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probed = true
	return nil
}
