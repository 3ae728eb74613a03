//go:build unix

package filestore

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private makes sure that nobody else can read or change what is in the
// directory.
func (s *Store) private(dir fs.FileInfo) error {
	if stat, ok := dir.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return s.refused(fmt.Sprintf("it belongs to user %d, and this program runs as user %d: choose a directory of its own", stat.Uid, os.Geteuid()))
	}
	if mode := dir.Mode().Perm(); mode&0o077 != 0 {
		return s.refused(fmt.Sprintf("others have access (mode %#o): run chmod 700 %s", mode, s.dir))
	}
	return nil
}
