//go:build !unix

package filestore

import "io/fs"

// private leaves it to the access control list of the place, which the modes
// that Go reports here say nothing about.
func (s *Store) private(fs.FileInfo) error { return nil }
