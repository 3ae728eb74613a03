// Package keyringstore keeps grants for the programs of one user: sealed files,
// and the key that seals them in the keychain of the system, which is the
// Keychain of macOS, the Credential Manager of Windows, or the Secret Service of
// a Linux or BSD desktop (GNOME Keyring, KWallet, KeePassXC).
//
// The keychain holds one key of 32 bytes, and is asked for it once in a process.
// So a grant may have any size (Windows allows 2560 bytes for an entry, macOS
// about 3000), there is one prompt at most, a save is one atomic renaming, and
// any number of accounts can be listed. The files are those of package filestore;
// read there about the directory.
//
// # Where there is no keychain
//
// A machine without a desktop has none: an error for which
// errors.Is(err, [tokenstore.ErrUnavailable]) holds. Nothing else takes its place by
// itself. [Store.Check] tells beforehand, and the program decides, say for a
// passphrase that the user knows:
//
//	var sealer tokenstore.Sealer // none is needed: a keyringstore is Protected
//	var store tokenstore.Store
//	keychain := keyringstore.New("my-cli")
//	switch err := keychain.Check(ctx); {
//	case err == nil:
//		store = keychain
//	case errors.Is(err, tokenstore.ErrUnavailable):
//		store = filestore.New(dir)
//		sealer, err = tokenstore.NewPassphraseSealer(os.Getenv("MY_CLI_PASSPHRASE")) // unset: an error
//	}
//
// A keychain that is locked is there: Check waits while the system asks its user
// to unlock it, for a minute at most.
//
// # Who can read it
//
// On every system any program that runs as the user can have the key: Secret
// Service and Windows give it out silently while the user is logged in, and on
// macOS it belongs to /usr/bin/security, which writes and reads it. What the
// keychain protects from is somebody with the disk, or with a copy of the files.
//
// # When the key is lost
//
// Keychains are reset, and home directories are moved to other machines without
// them. Then the grants cannot be read, and no new key is made in silence:
// see [ErrKeyLost].
package keyringstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/regrant/regrant/tokenstore"
)

// ErrKeyLost says that grants are kept, and that the keychain does not have the
// key that sealed them: its entry was deleted or replaced, the keychain was
// reset, or the files were copied here without it. Trying again does not help.
//
// If the keychain can be restored, the grants open again. If not, each user logs
// in again: client.Account.Logout deletes what cannot be read, and with the last
// such file gone a new key is made; or the program, or its user, deletes the
// directory, which the error names.
var ErrKeyLost = errors.New("keyringstore: the key of the grants is not in the keychain any more")

// A Store is a directory of sealed files, and a key in the keychain. It implements
// [tokenstore.Store], [tokenstore.Locker], [tokenstore.Lister] and
// [tokenstore.Protected]: a client needs no Sealer, and seals a second time if it
// has one. Any number of Stores, in any number of processes of one user on one
// host, may share the directory. Make one with [New].
type Store struct {
	// Dir is the directory of the sealed files, which belongs to the Store alone.
	// "" means "keychain-grants" in the directory that is named like the program
	// below
	//
	//	$XDG_DATA_HOME or ~/.local/share      on Linux and other Unix systems
	//	~/Library/Application Support         on macOS
	//	%LocalAppData%                        on Windows
	//
	// Two directories have two keys. A directory can be moved: its key is found
	// by what is in it. Set it before the first use.
	Dir string

	name  string
	chain keychain
	calls calls
	files func() (*files, error)

	mu     sync.Mutex
	key    held // zero until the keychain has given it
	probed bool // the keychain has answered that it has no such entry
}

var (
	_ tokenstore.Store     = (*Store)(nil)
	_ tokenstore.Locker    = (*Store)(nil)
	_ tokenstore.Lister    = (*Store)(nil)
	_ tokenstore.Protected = (*Store)(nil)
)

// New returns a Store for the program of this name, under which its key is seen
// in the keychain, and its directory in that of the user's data. The name has up
// to 64 letters of ASCII, digits, dots, hyphens and underscores, and begins with a
// letter or a digit: macOS and Windows confuse others.
//
// It touches neither the keychain nor the disk: what is wrong, the name included,
// is an error of the first use.
func New(name string) *Store { return newStore(name, system{}) }

func newStore(name string, chain keychain) *Store {
	s := &Store{name: name, chain: chain}
	s.files = sync.OnceValues(s.locate)
	return s
}

// Protected marks the Store as one that keeps secrets secret by itself.
func (s *Store) Protected() {}

// Check tells whether grants can be kept here, without changing anything: that the
// keychain answers, and that it has the key if there are grants. Call it before a
// user is asked to log in, with a context of the program's own patience: if the
// keychain is locked, the system asks its user to unlock it, which may take them
// longer than the ten seconds that a client gives a store.
//
// No keychain is [tokenstore.ErrUnavailable]; on Linux that is also a session bus
// without a Secret Service, and no session bus. A keychain that is locked, or does
// not answer within a minute, is another error. A missing key is [ErrKeyLost].
func (s *Store) Check(ctx context.Context) error {
	f, err := s.files()
	if err != nil {
		return err
	}
	return s.ready(ctx, f)
}

// Load returns what is kept under key; see [tokenstore.Store]. It asks the
// keychain if this process has not done so yet, also if nothing is kept under key:
// otherwise a login would begin whose grant could not be saved.
//
// A record without its key is both a [tokenstore.ErrUnreadable] and an
// [ErrKeyLost].
func (s *Store) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	f, err := s.files()
	if err != nil {
		return nil, "", err
	}
	sealed, v, err := f.Load(ctx, key)
	if errors.Is(err, tokenstore.ErrNotFound) {
		if err := s.ready(ctx, f); err != nil {
			return nil, "", err
		}
	}
	if err != nil {
		return nil, v, err
	}
	sealer, err := s.sealer(ctx, f)
	if _, gone := errors.AsType[*missing](err); gone {
		return nil, v, fmt.Errorf("%w: %w", tokenstore.ErrUnreadable, f.lost(err))
	}
	if err != nil {
		return nil, "", err
	}
	data, err := sealer.Decrypt(sealed, []byte(key.String()))
	if err != nil {
		return nil, v, fmt.Errorf("%w: keyringstore: in %s: %w", tokenstore.ErrUnreadable, f.dir, err)
	}
	return data, v, nil
}

// Save replaces what is kept under key if its version is still old; see
// [tokenstore.Store]. When it returns the record is on the disk. The first Save of
// all makes the key.
func (s *Store) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	f, err := s.files()
	if err != nil {
		return "", err
	}
	var sealer tokenstore.Sealer
	if old == "" {
		// Only a Save that creates can be the first, so it alone makes a key, and
		// while it does so no other creates: what it seals is sealed with the key
		// that stays.
		unlock, err := f.Lock(ctx, entry)
		if err != nil {
			return "", err
		}
		defer unlock()
		sealer, err = s.sealerOrNew(ctx, f)
		if err != nil {
			return "", f.conflictOr(ctx, key, old, err)
		}
	} else if sealer, err = s.sealer(ctx, f); err != nil {
		return "", f.conflictOr(ctx, key, old, f.lost(err))
	}
	sealed, err := sealer.Encrypt(data, []byte(key.String()))
	if err != nil {
		return "", fmt.Errorf("keyringstore: %w", err)
	}
	return f.Save(ctx, key, sealed, old)
}

// Delete removes what is kept under key if its version is still old; see
// [tokenstore.Store]. It does not need the keychain, and removes what cannot be
// read, too. The key stays in the keychain.
func (s *Store) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	f, err := s.files()
	if err != nil {
		return err
	}
	return f.Delete(ctx, key, old)
}

// Lock waits for the lock of key; see [tokenstore.Locker].
func (s *Store) Lock(ctx context.Context, key tokenstore.Key) (unlock func(), err error) {
	f, err := s.files()
	if err != nil {
		return nil, err
	}
	return f.Lock(ctx, key)
}

// List yields the keys that match; see [tokenstore.Lister]. It does not need the
// keychain.
func (s *Store) List(ctx context.Context, match tokenstore.Key) iter.Seq2[tokenstore.Key, error] {
	return func(yield func(tokenstore.Key, error) bool) {
		f, err := s.files()
		if err != nil {
			yield(tokenstore.Key{}, err)
			return
		}
		for key, err := range f.List(ctx, match) {
			if key != entry && !yield(key, err) {
				return
			}
		}
	}
}
