package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/regrant/regrant/internal/atomicfile"
	"github.com/regrant/regrant/tokenstore"
)

// open returns the directory if it is there and safe. It looks anew each time,
// which costs microseconds: a directory that was removed, replaced or opened to
// others while the program runs is noticed.
func (s *Store) open() (*os.Root, error) {
	if s.dir == "" {
		return nil, fmt.Errorf("%w: filestore.New was given an empty directory name: is an environment variable unset?", tokenstore.ErrUnavailable)
	}
	named, err := os.Lstat(s.dir)
	if err != nil {
		return nil, s.in(err)
	}
	switch {
	case named.Mode().Type() == fs.ModeSymlink:
		return nil, s.refused("it is a symbolic link, which could be pointed elsewhere: name the directory itself")
	case !named.IsDir():
		return nil, s.refused("it is not a directory")
	}
	dir, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, s.in(err)
	}
	if err := s.inspect(dir, named); err != nil {
		_ = dir.Close()
		return nil, err
	}
	return dir, nil
}

// inspect makes sure that what was opened is what was looked at, and safe.
func (s *Store) inspect(dir *os.Root, named fs.FileInfo) error {
	opened, err := dir.Stat(".")
	if err != nil {
		return s.in(err)
	}
	if !os.SameFile(named, opened) {
		return s.refused("it was replaced while it was in use")
	}
	return s.private(opened)
}

// still makes sure that the directory that was opened is the one of this name yet:
// what is written to one that was moved away, nobody would find.
func (s *Store) still(dir *os.Root) error {
	named, err := os.Lstat(s.dir)
	if err != nil {
		return s.in(err)
	}
	return s.inspect(dir, named)
}

func (s *Store) refused(reason string) error {
	return &fs.PathError{Op: "filestore: open", Path: s.dir, Err: fmt.Errorf("%w: %s", fs.ErrPermission, reason)}
}

// openOrCreate makes the directory if there is none.
func (s *Store) openOrCreate() (*os.Root, error) {
	dir, err := s.open()
	if !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := makeDir(s.dir); err != nil {
		return nil, s.in(err)
	}
	return s.open()
}

// makeDir is os.MkdirAll for the user alone, and on the disk when it returns: a
// record is not kept while the name of its directory can be lost.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	parent, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	return atomicfile.SyncDir(parent)
}
