// Package filestore keeps each grant in a file of its own, for the processes of
// one host and one user.
//
// The directory belongs to the store alone. It holds three files per grant: the
// record (.grant), which is only ever replaced whole, and two empty files that
// are locked and never deleted (.swap during a write, .lock while a client
// renews the grant). They are named after a hash of the key, since an account
// may have any name; the key itself is in the record.
//
// A directory that others could read, change or redirect is refused: it must be
// a real directory, owned by the user and accessible to nobody else. On Windows
// the access control of the place decides instead: choose one below
// %LocalAppData%. A network file system must support locks (NFSv4 does).
package filestore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/regrant/regrant/internal/atomicfile"
	"github.com/regrant/regrant/internal/filelock"
	"github.com/regrant/regrant/tokenstore"
)

// A Store is a directory. It implements [tokenstore.Store], [tokenstore.Locker]
// and [tokenstore.Lister]; it is not [tokenstore.Protected]: a client seals what
// it keeps here. Any number of Stores, in any number of processes, may share the
// directory. Make one with [New].
type Store struct {
	dir   string
	sweep sync.Once
}

var (
	_ tokenstore.Store  = (*Store)(nil)
	_ tokenstore.Locker = (*Store)(nil)
	_ tokenstore.Lister = (*Store)(nil)
)

// New returns a Store that keeps its files in dir, say "grants" below
// [os.UserConfigDir] and the program's name. It does not touch the disk: the
// first Save creates the directory, readable to the user alone, and a directory
// that cannot be used is an error then. A relative dir is relative to the
// working directory of now.
func New(dir string) *Store {
	if abs, err := filepath.Abs(dir); err == nil && dir != "" {
		dir = abs
	}
	return &Store{dir: dir}
}

// Names of the files of a key.
const (
	recordSuffix = ".grant"
	swapSuffix   = ".swap"
	lockSuffix   = ".lock"
)

// nameOf returns the name of a key's files without the suffix.
func nameOf(key tokenstore.Key) string {
	sum := sha256.Sum256([]byte(key.String()))
	return hex.EncodeToString(sum[:])
}

// Load returns what is kept under key; see [tokenstore.Store]. It never waits
// for a lock. A file that is damaged, of a newer format, or that of another key
// under the name of this one, is a [tokenstore.ErrUnreadable].
func (s *Store) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	dir, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", tokenstore.ErrNotFound
	}
	if err != nil {
		return nil, "", err
	}
	defer dir.Close()
	f, err := s.read(ctx, dir, nameOf(key))
	return f.data, f.version, err
}

// Save replaces what is kept under key if its version is still old; see
// [tokenstore.Store]. When it returns the record is on the disk.
func (s *Store) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	f := file{key: key, version: tokenstore.Version(rand.Text()), data: data}
	content, err := f.encode()
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	dir, err := s.openOrCreate()
	if err != nil {
		return "", err
	}
	defer dir.Close()
	s.sweep.Do(func() { s.removeLeftovers(ctx, dir) })
	err = s.swap(ctx, dir, nameOf(key), func(current tokenstore.Version) error {
		if current != old {
			return tokenstore.ErrConflict
		}
		return s.in(atomicfile.Write(ctx, dir, nameOf(key)+recordSuffix, content))
	})
	if err != nil {
		return "", err
	}
	return f.version, nil
}

// Delete removes what is kept under key if its version is still old; see
// [tokenstore.Store]. It removes an unreadable file, too, given the version that
// Load returned with the error.
func (s *Store) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return s.swap(ctx, dir, nameOf(key), func(current tokenstore.Version) error {
		switch current {
		case "":
			return nil
		case old:
			return s.in(atomicfile.Remove(ctx, dir, nameOf(key)+recordSuffix))
		}
		return tokenstore.ErrConflict
	})
}

// Lock waits for the lock of key; see [tokenstore.Locker]. It creates the
// directory if there is none.
func (s *Store) Lock(ctx context.Context, key tokenstore.Key) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := s.openOrCreate()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return s.lock(ctx, nameOf(key)+lockSuffix)
}

// swap calls change, alone among all writers, with the version of what is there,
// readable or not.
func (s *Store) swap(ctx context.Context, dir *os.Root, name string, change func(current tokenstore.Version) error) error {
	unlock, err := s.lock(ctx, name+swapSuffix)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.still(dir); err != nil { // or others, in the directory of now, have a lock of their own
		return err
	}
	f, err := s.read(ctx, dir, name)
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) && !errors.Is(err, tokenstore.ErrUnreadable) {
		return err
	}
	return change(f.version)
}

// sweepPatience is how long the sweep waits for a writer, whose file it leaves then.
const sweepPatience = 10 * time.Millisecond

// removeLeftovers removes what killed writers left, under the lock that each
// writer holds: one that was only stopped still needs its file.
func (s *Store) removeLeftovers(ctx context.Context, dir *os.Root) {
	_ = atomicfile.Sweep(dir, func(record string, remove func()) {
		name, ours := strings.CutSuffix(record, recordSuffix)
		if !ours {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, sweepPatience)
		defer cancel()
		if unlock, err := s.lock(ctx, name+swapSuffix); err == nil {
			defer unlock()
			remove()
		}
	})
}

func (s *Store) lock(ctx context.Context, file string) (unlock func(), err error) {
	unlock, err = filelock.Lock(ctx, filepath.Join(s.dir, file))
	return unlock, s.in(err)
}

// read returns the record file of this name. One that is there and cannot be
// read has a version nevertheless, and its key if that can be told.
func (s *Store) read(ctx context.Context, dir *os.Root, name string) (file, error) {
	content, more, err := atomicfile.Read(ctx, dir, name+recordSuffix, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, tokenstore.ErrNotFound
	}
	if err != nil {
		return file{}, s.in(err)
	}
	f, err := decode(content, more)
	if told := err == nil || f.key != (tokenstore.Key{}); told && nameOf(f.key) != name {
		f, err = file{}, errors.New("it is the file of another grant, moved here: give it its own name back")
	}
	if err != nil {
		return file{key: f.key, version: contentVersion(content)},
			fmt.Errorf("%w: %s: %w", tokenstore.ErrUnreadable, filepath.Join(s.dir, name+recordSuffix), err)
	}
	return f, nil
}

// in says which store an error of the file system came from.
func (s *Store) in(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("filestore: in %s: %w", s.dir, err)
}
