//go:build unix

package filestore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/filelock"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// refused checks that no method uses the directory, and that each says why.
func refused(t *testing.T, dir, why string) {
	t.Helper()
	s := filestore.New(dir)
	_, _, loadErr := s.Load(t.Context(), key("me"))
	_, saveErr := s.Save(t.Context(), key("me"), []byte("secret"), "")
	deleteErr := s.Delete(t.Context(), key("me"), "")
	_, lockErr := s.Lock(t.Context(), key("me"))
	var listErr error
	for _, listErr = range s.List(t.Context(), tokenstore.Key{}) {
	}
	for name, err := range map[string]error{"Load": loadErr, "Save": saveErr, "Delete": deleteErr, "Lock": lockErr, "List": listErr} {
		if !errors.Is(err, fs.ErrPermission) || errors.Is(err, tokenstore.ErrNotFound) || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), filepath.Clean(dir)) {
			t.Errorf("%s returned %v; want an error with %q", name, err, why)
		}
	}
}

func TestADirectoryThatOthersCanUseIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o755, 0o750, 0o705, 0o710, 0o720, 0o701, 0o777} {
		dir := filepath.Join(t.TempDir(), "grants")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, "chmod 700 "+dir)
		if names := files(t, dir, "*"); len(names) > 0 {
			t.Errorf("mode %v: something was written: %v", mode, names)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		save(t, filestore.New(dir), key("me"), "content", "")
	}
}

func TestADirectoryThatIsOpenedToOthersLaterIsRefused(t *testing.T) {
	dir, _ := kept(t, key("me"))
	s := filestore.New(dir)
	holds(t, s, key("me"), "first line\nsecond line")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(t.Context(), key("me")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Load: %v", err)
	}
}

func TestADirectoryOfAnotherUserIsRefused(t *testing.T) {
	dir := "/usr" // root's
	if os.Geteuid() == 0 {
		dir = filepath.Join(t.TempDir(), "grants")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, dir, "it belongs to user")
}

func TestALinkToADirectoryIsRefused(t *testing.T) {
	target, _ := kept(t, key("me"))
	for name, to := range map[string]string{"there": target, "dangling": target + "-absent"} {
		t.Run(name, func(t *testing.T) {
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(to, link); err != nil {
				t.Fatal(err)
			}
			refused(t, link, "symbolic link")
			refused(t, link+"/", "symbolic link")
			if _, err := os.Lstat(target + "-absent"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("what the link points to: %v", err)
			}
		})
	}
}

func TestALinkOnTheWayToTheDirectoryIsFollowed(t *testing.T) {
	home, link := t.TempDir(), filepath.Join(t.TempDir(), "home")
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	save(t, filestore.New(filepath.Join(link, "grants")), key("me"), "content", "")
	holds(t, filestore.New(filepath.Join(home, "grants")), key("me"), "content")
}

func TestAFileInsteadOfADirectoryIsRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "grants")
	overwrite(t, name, []byte("content"))
	refused(t, name, "not a directory")
}

func TestARecordThatIsNoRegularFileIsRefused(t *testing.T) {
	k := key("me")
	for name, put := range map[string]func(path, target string) error{
		"link":      func(path, target string) error { return os.Symlink(target, path) },
		"dangling":  func(path, target string) error { return os.Symlink(target+"-absent", path) },
		"pipe":      func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
		"directory": func(path, _ string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, content := kept(t, k)
			target := filepath.Join(t.TempDir(), "target")
			overwrite(t, target, content)
			if err := os.Remove(pathOf(dir, k)); err != nil {
				t.Fatal(err)
			}
			if err := put(pathOf(dir, k), target); err != nil {
				t.Fatal(err)
			}
			s := filestore.New(dir)
			data, v, err := s.Load(t.Context(), k)
			if err == nil || data != nil || v != "" || errors.Is(err, tokenstore.ErrNotFound) || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("Load returned %q, version %q, %v", data, v, err)
			}
			for _, old := range []tokenstore.Version{"", "56WMLQD2QJ2UKQVLDJMPOUE7RS"} {
				if _, err := s.Save(t.Context(), k, []byte("new"), old); err == nil {
					t.Error("Save succeeded")
				}
			}
			if after, err := os.ReadFile(target); err != nil || string(after) != string(content) {
				t.Errorf("what the link points to was changed: %v", err)
			}
		})
	}
}

func TestALinkInsteadOfALockFileIsRefused(t *testing.T) {
	k := key("me")
	dir, _ := kept(t, k)
	swap := strings.TrimSuffix(pathOf(dir, k), ".grant") + ".swap"
	target := filepath.Join(t.TempDir(), "target")
	if err := errors.Join(os.Remove(swap), os.Symlink(target, swap)); err != nil {
		t.Fatal(err)
	}
	s := filestore.New(dir)
	_, v, err := s.Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), k, []byte("new"), v); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("Save: %v", err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the link points to: %v", err)
	}
	holds(t, s, k, "first line\nsecond line")
}

// What has another name elsewhere, by a hard link, is not written through.
func TestAHardLinkIsReplacedNotWrittenTo(t *testing.T) {
	k := key("me")
	dir, content := kept(t, k)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Link(pathOf(dir, k), elsewhere); err != nil {
		t.Fatal(err)
	}
	s := filestore.New(dir)
	_, v, err := s.Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, k, "new", v)
	if after, err := os.ReadFile(elsewhere); err != nil || string(after) != string(content) {
		t.Errorf("its other name has %.60q, %v", after, err)
	}
}

func TestFieldCase_dermesser_yup_oauth2_120_NoUmaskGivesOthersAccess(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		before := syscall.Umask(mask)
		dir, _ := kept(t, key("me"))
		unlock, err := filestore.New(dir).Lock(t.Context(), key("me"))
		syscall.Umask(before)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
		for _, path := range append(files(t, dir, "*"), dir) {
			if info, err := os.Lstat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("with umask %#o %s has mode %v, error %v", mask, path, info.Mode(), err)
			}
		}
	}
}

// A save that waits for its turn while the directory is moved away must not go
// where nobody would find it.
func TestASaveIsNotLostInADirectoryThatWasMovedAway(t *testing.T) {
	k := key("me")
	dir, _ := kept(t, k)
	s := filestore.New(dir)
	_, v, err := s.Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := filelock.Lock(t.Context(), strings.TrimSuffix(pathOf(dir, k), ".grant")+".swap")
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan error)
	go func() {
		_, err := s.Save(t.Context(), k, []byte("new"), v)
		saved <- err
	}()
	time.Sleep(100 * time.Millisecond) // it waits for the lock, or comes later and finds the new directory
	if err := errors.Join(os.Rename(dir, dir+"-moved"), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := <-saved; err == nil {
		t.Error("Save succeeded")
	} else if !errors.Is(err, tokenstore.ErrConflict) && !strings.Contains(err.Error(), "replaced while it was in use") {
		t.Error(err)
	}
	holds(t, filestore.New(dir+"-moved"), k, "first line\nsecond line")
}
