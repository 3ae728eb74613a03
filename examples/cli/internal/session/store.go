package session

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/regrant/regrant/examples/cli/internal/exit"
	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/keyringstore"
	"github.com/regrant/regrant/tokenstore/memstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// keychainName is what the user sees in the keychain.
const keychainName = "regrant"

// openStore opens the place of the grants, and asks for what seals them.
func (s *Session) openStore(ctx context.Context) (err error) {
	if s.options.Memory {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // it never fails
		s.Store = memstore.New()
		s.Sealer, err = tokenstore.NewSealer(key)
		return err
	}
	if s.Profile.Store == profile.Keyring {
		return s.openKeychain(ctx)
	}
	path := s.Profile.Path
	if path == "" {
		dir, err := profile.DataDir(s.ui.Getenv)
		if err != nil {
			return exit.With(exit.Store, "", err)
		}
		path = filepath.Join(dir, map[string]string{profile.File: "grants", profile.SQLite: "grants.db"}[s.Profile.Store])
	}
	s.Store = filestore.New(path)
	if s.Profile.Store == profile.SQLite {
		if err := s.openDatabase(ctx, path); err != nil {
			return exit.With(exit.Store, "", fmt.Errorf("the database %s cannot be used: %w", path, err))
		}
	}
	if s.options.Names {
		s.Sealer = nothing{}
		return nil
	}
	place := s.Profile.Store + ":" + path
	if s.Sealer = s.opener.sealers[place]; s.Sealer != nil {
		return nil
	}
	if err := s.once(ctx, place, s.unlock); err != nil {
		return err
	}
	if s.Sealer != (nothing{}) {
		s.opener.sealers[place] = s.Sealer
	}
	return nil
}

func (s *Session) openKeychain(ctx context.Context) error {
	store := keyringstore.New(keychainName)
	store.Dir = s.Profile.Path
	s.Store = store
	if s.options.Names {
		return nil
	}
	end := s.ui.Err.Slow("Waiting for the keychain: is it asking you to unlock it?").Begin()
	err := s.once(ctx, profile.Keyring, store.Check)
	end()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return exit.With(exit.Store, "", err)
}

// once opens a place for which somebody may be asked. Where that has failed it fails: status
// looks at one place for several profiles, and every second with --watch.
func (s *Session) once(ctx context.Context, place string, open func(context.Context) error) error {
	if err := s.opener.locked[place]; err != nil {
		return err
	}
	err := open(ctx)
	if err != nil && ctx.Err() == nil {
		s.opener.locked[place] = err
	}
	return err
}

func (s *Session) openDatabase(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // C:/…
	}
	u := url.URL{Scheme: "file", Path: name, RawQuery: "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	s.close = db.Close
	store := sqlstore.New(db, sqlstore.SQLite)
	s.Store = store
	return store.Migrate(ctx)
}

// Where tells where the grants are, for people.
func (s *Session) Where() string {
	if s.Profile.Path != "" {
		return s.Profile.Store + " " + s.Profile.Path
	}
	return s.Profile.Store
}
