package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/filelock"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

func TestFilestoreKeepsTheContract(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return filestore.New(dir) })
}

func key(account string) tokenstore.Key {
	return tokenstore.Key{Issuer: "https://issuer.example", ClientID: "cli", Account: account}
}

func save(t testing.TB, s *filestore.Store, k tokenstore.Key, data string, old tokenstore.Version) tokenstore.Version {
	t.Helper()
	v, err := s.Save(context.Background(), k, []byte(data), old)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func holds(t testing.TB, s *filestore.Store, k tokenstore.Key, want string) {
	t.Helper()
	if data, _, err := s.Load(context.Background(), k); err != nil || string(data) != want {
		t.Fatalf("Load returned %.60q, %v; want %.60q", data, err, want)
	}
}

// files returns the names in dir that match, as [filepath.Match] has it.
func files(t testing.TB, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// record returns the only record file in dir.
func record(t testing.TB, dir string) string {
	t.Helper()
	names := files(t, dir, "*.grant")
	if len(names) != 1 {
		t.Fatalf("there are %d record files", len(names))
	}
	return names[0]
}

func TestNewAndReadingTouchNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	s := filestore.New(dir)
	if _, v, err := s.Load(t.Context(), key("me")); !errors.Is(err, tokenstore.ErrNotFound) || v != "" {
		t.Errorf("Load returned %q, %v", v, err)
	}
	if err := s.Delete(t.Context(), key("me"), ""); err != nil {
		t.Errorf("Delete: %v", err)
	}
	for k, err := range s.List(t.Context(), tokenstore.Key{}) {
		t.Errorf("List yielded %v, %v", k, err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
}

func TestTheFirstSaveMakesADirectoryForTheUserAlone(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "config", "program", "grants")
	s := filestore.New(dir)
	save(t, s, key("me"), "content", "")
	holds(t, s, key("me"), "content")
	if runtime.GOOS == "windows" {
		return // the access control of the profile decides
	}
	for path := dir; path != base; path = filepath.Dir(path) {
		if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s has mode %v, error %v", path, info.Mode(), err)
		}
	}
	for _, name := range files(t, dir, "*") {
		if info, err := os.Lstat(name); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v, error %v", name, info.Mode(), err)
		}
	}
}

func TestADirectoryThatVanishesIsMadeAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	s := filestore.New(dir)
	save(t, s, key("me"), "first", "")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(t.Context(), key("me")); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("Load: %v", err)
	}
	save(t, s, key("me"), "second", "")
	holds(t, s, key("me"), "second")
}

func TestAnEmptyDirectoryNameIsAnErrorAtFirstUse(t *testing.T) {
	t.Chdir(t.TempDir())
	s := filestore.New("")
	_, _, loadErr := s.Load(t.Context(), key("me"))
	_, saveErr := s.Save(t.Context(), key("me"), nil, "")
	deleteErr := s.Delete(t.Context(), key("me"), "")
	_, lockErr := s.Lock(t.Context(), key("me"))
	var listErr error
	for _, listErr = range s.List(t.Context(), tokenstore.Key{}) {
	}
	for name, err := range map[string]error{"Load": loadErr, "Save": saveErr, "Delete": deleteErr, "Lock": lockErr, "List": listErr} {
		if !errors.Is(err, tokenstore.ErrUnavailable) || !strings.Contains(err.Error(), "empty directory name") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if names := files(t, ".", "*"); len(names) > 0 {
		t.Errorf("something was written: %v", names)
	}
}

func TestARelativeDirectoryIsThatOfTheBeginning(t *testing.T) {
	before := t.TempDir()
	t.Chdir(before)
	s := filestore.New("grants")
	t.Chdir(t.TempDir())
	save(t, s, key("me"), "content", "")
	record(t, filepath.Join(before, "grants"))
}

func TestFilesAreNamedAfterAHash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	s := filestore.New(dir)
	save(t, s, key("../../etc/passwd"), "content", "")
	unlock, err := s.Lock(t.Context(), key("../../etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	hashed := regexp.MustCompile(`^[0-9a-f]{64}\.(grant|swap|lock)$`)
	names := files(t, dir, "*")
	for _, name := range names {
		if !hashed.MatchString(filepath.Base(name)) {
			t.Errorf("there is a file %s", name)
		}
	}
	if len(names) != 3 {
		t.Errorf("there are %d files", len(names))
	}
}

func TestLockFilesStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	s := filestore.New(dir)
	v := save(t, s, key("me"), "content", "")
	unlock, err := s.Lock(t.Context(), key("me"))
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := s.Delete(t.Context(), key("me"), v); err != nil {
		t.Fatal(err)
	}
	if names := files(t, dir, "*"); len(names) != 2 {
		t.Errorf("after the deletion there are %v", names)
	}
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	s := filestore.New(filepath.Join(t.TempDir(), "grants"))
	v := save(t, s, key("me"), "small", "")
	if _, err := s.Save(t.Context(), key("me"), make([]byte, 3<<20), v); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("the error is %v", err)
	}
	holds(t, s, key("me"), "small")
}

func TestAKeyThatIsNotUTF8IsRefused(t *testing.T) {
	s := filestore.New(filepath.Join(t.TempDir(), "grants"))
	if _, err := s.Save(t.Context(), key("\xff"), []byte("content"), ""); err == nil {
		t.Error("it was saved, and would come back as another key")
	}
}

// leftover puts a temporary file of a writer of the only record into dir.
func leftover(t *testing.T, dir string) (path string) {
	t.Helper()
	path = record(t, dir) + ".ABCDEFGHIJKLMNOPQRSTUVWXYZ.regrant-tmp"
	overwrite(t, path, nil)
	then := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatKilledWritersLeftIsSweptAway(t *testing.T) {
	dir, _ := kept(t, key("me"))
	left := leftover(t, dir)
	save(t, filestore.New(dir), key("you"), "content", "")
	if _, err := os.Lstat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	holds(t, filestore.New(dir), key("me"), "first line\nsecond line")
}

// A writer may be stopped for an hour, or a clock set by years.
func TestWhatALivingWriterNeedsIsNotSweptAway(t *testing.T) {
	dir, _ := kept(t, key("me"))
	left := leftover(t, dir)
	unlock, err := filelock.Lock(t.Context(), strings.TrimSuffix(record(t, dir), ".grant")+".swap")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	save(t, filestore.New(dir), key("you"), "content", "")
	if _, err := os.Lstat(left); err != nil {
		t.Errorf("it was removed while its writer had the lock: %v", err)
	}
}

func TestTheDataIsInTheFileAsItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grants")
	save(t, filestore.New(dir), key("me"), "sealed\x00bytes", "")
	content, err := os.ReadFile(record(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(content, []byte("regrant-filestore 1 ")) || !bytes.HasSuffix(content, []byte("\nsealed\x00bytes")) {
		t.Errorf("the file is %q", content)
	}
}
