package keyringstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// files are the sealed files, and among them one that is not sealed: what lies
// under entry is the account name that the key has in the keychain.
type files struct {
	*filestore.Store
	dir string
}

// entry is no key of a grant, whose account is never empty.
var entry = tokenstore.Key{Issuer: "regrant keyringstore", ClientID: "key"}

// validName is what every keychain, command line and file system takes as it is.
// The tool of macOS reads other names wrongly, or as commands; Windows joins the
// two names of an entry with a colon.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (s *Store) locate() (*files, error) {
	if !validName.MatchString(s.name) {
		return nil, fmt.Errorf("keyringstore: %.100q cannot be the name of a program in every keychain: "+
			"use up to 64 letters of ASCII, digits, dots, hyphens and underscores, and begin with a letter or a digit", s.name)
	}
	dir := s.Dir
	if dir == "" {
		data, err := dataDir(runtime.GOOS, os.Getenv)
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(data, s.name, "keychain-grants")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("keyringstore: %w", err)
	}
	return &files{filestore.New(dir), dir}, nil
}

// dataDir returns where programs keep the data of the user. [os.UserConfigDir]
// is for what a user edits and takes along; a grant is neither.
func dataDir(system string, env func(string) string) (string, error) {
	under := func(variable string, below ...string) (string, error) {
		if dir := env(variable); filepath.IsAbs(dir) {
			return filepath.Join(append([]string{dir}, below...)...), nil
		}
		return "", fmt.Errorf("keyringstore: there is no home for the grants: set Store.Dir, or %s in the environment to an absolute path", variable)
	}
	switch system {
	case "windows":
		return under("LocalAppData")
	case "darwin", "ios":
		return under("HOME", "Library", "Application Support")
	}
	// A relative path is to be ignored (XDG Base Directory Specification).
	if dir, err := under("XDG_DATA_HOME"); err == nil {
		return dir, nil
	}
	return under("HOME", ".local", "share")
}

// sealed tells whether anything is kept that was sealed with a key.
func (f *files) sealed(ctx context.Context) (bool, error) {
	for key, err := range f.List(ctx, tokenstore.Key{}) {
		switch {
		case key == entry:
		case err == nil || errors.Is(err, tokenstore.ErrUnreadable):
			return true, nil
		default:
			return false, err
		}
	}
	return false, nil
}

// lost makes of a missing key what is reported where grants are sealed with it.
func (f *files) lost(err error) error {
	m, gone := errors.AsType[*missing](err)
	if !gone {
		return err
	}
	return fmt.Errorf("%w: %w. Restore the keychain, and they open again. If it is gone for good, log out of the accounts that are kept in %s, or delete this directory, and log in again", ErrKeyLost, m, f.dir)
}

// conflictOr is the error of a Save that has no key: one that comes too late
// anyhow must say that.
func (f *files) conflictOr(ctx context.Context, key tokenstore.Key, old tokenstore.Version, err error) error {
	if !errors.Is(err, ErrKeyLost) {
		return err
	}
	if _, v, loadErr := f.Load(ctx, key); v != old && ctx.Err() == nil && (loadErr == nil || errors.Is(loadErr, tokenstore.ErrNotFound) || errors.Is(loadErr, tokenstore.ErrUnreadable)) {
		return tokenstore.ErrConflict
	}
	return err
}
