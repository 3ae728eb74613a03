package atomicfile_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/atomicfile"
)

func root(t *testing.T) *os.Root {
	t.Helper()
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func write(t *testing.T, dir *os.Root, name, data string) {
	t.Helper()
	if err := atomicfile.Write(t.Context(), dir, name, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, dir *os.Root, name, want string) {
	t.Helper()
	data, more, err := atomicfile.Read(t.Context(), dir, name, 1<<20)
	if err != nil || more || string(data) != want {
		t.Fatalf("Read returned %q, %v, %v; want %q", data, more, err, want)
	}
}

func contains(t *testing.T, dir *os.Root, want ...string) {
	t.Helper()
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, want) {
		t.Fatalf("the directory holds %q instead of %q", names, want)
	}
}

func TestAFileIsReplacedWhole(t *testing.T) {
	dir := root(t)
	for _, data := range []string{"a long first content", "second", "", "third"} {
		write(t, dir, "file", data)
		holds(t, dir, "file", data)
		contains(t, dir, "file")
	}
}

func TestAFileIsForItsOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing on Windows")
	}
	dir := root(t)
	if err := dir.WriteFile("file", []byte("first"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "file", "second")
	info, err := dir.Stat("file")
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestWhoReadsTheOldFileGoesOnReadingIt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not every file system of Windows replaces a file that is open: writers wait instead")
	}
	dir := root(t)
	write(t, dir, "file", "first")
	f, err := dir.Open("file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write(t, dir, "file", "second")
	old := make([]byte, 10)
	if n, _ := f.Read(old); string(old[:n]) != "first" {
		t.Errorf("read %q", old[:n])
	}
	holds(t, dir, "file", "second")
}

func TestAnErrorLeavesTheOldFileAndNothingElse(t *testing.T) {
	t.Run("the new one cannot be renamed", func(t *testing.T) {
		dir := root(t)
		if err := dir.MkdirAll("file/inside", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.Write(t.Context(), dir, "file", []byte("second")); err == nil {
			t.Error("a directory was replaced")
		}
		contains(t, dir, "file")
	})
	t.Run("ctx has ended", func(t *testing.T) {
		dir := root(t)
		write(t, dir, "file", "first")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := atomicfile.Write(ctx, dir, "file", []byte("second")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		holds(t, dir, "file", "first")
		contains(t, dir, "file")
	})
	t.Run("there is no such directory any more", func(t *testing.T) {
		dir := root(t)
		if err := os.Remove(dir.Name()); err != nil {
			t.Skip(err) // Windows keeps a directory that is open
		}
		if err := atomicfile.Write(t.Context(), dir, "file", []byte("second")); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

func TestReadTakesNothingButARegularFile(t *testing.T) {
	dir := root(t)
	write(t, dir, "target", "content")
	if err := dir.Mkdir("directory", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := dir.Symlink("target", "link"); err != nil {
		t.Skip(err) // Windows without the privilege
	}
	for _, name := range []string{"directory", "link", "absent"} {
		data, _, err := atomicfile.Read(t.Context(), dir, name, 1<<20)
		if err == nil || data != nil {
			t.Errorf("%s: Read returned %q, %v", name, data, err)
		}
		if errors.Is(err, fs.ErrNotExist) != (name == "absent") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadSaysThatThereIsMore(t *testing.T) {
	dir := root(t)
	write(t, dir, "file", "content")
	for limit, want := range map[int64]string{6: "conten", 7: "content", 8: "content"} {
		data, more, err := atomicfile.Read(t.Context(), dir, "file", limit)
		if err != nil || string(data) != want || more != (limit < 7) {
			t.Errorf("limit %d: Read returned %q, %v, %v", limit, data, more, err)
		}
	}
}

func TestSweepRemovesWhatKilledWritersLeft(t *testing.T) {
	dir := root(t)
	const left = "file.ABCDEFGHIJKLMNOPQRSTUVWXYZ.regrant-tmp"
	const young = "file.ZYXWVUTSRQPONMLKJIHGFEDCBA.regrant-tmp"
	for _, name := range []string{left, young, "file", "other.tmp"} {
		write(t, dir, name, "content")
		age := 2 * time.Hour
		if name == young {
			age = 30 * time.Minute
		}
		then := time.Now().Add(-age)
		if err := dir.Chtimes(name, then, then); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(alone func(name string, remove func())) {
		t.Helper()
		if err := atomicfile.Sweep(dir, alone); err != nil {
			t.Fatal(err)
		}
	}
	var asked []string
	sweep(func(name string, _ func()) { asked = append(asked, name) })
	if !slices.Equal(asked, []string{"file"}) {
		t.Errorf("it was asked who writes %q", asked)
	}
	contains(t, dir, "file", left, young, "other.tmp")
	sweep(func(_ string, remove func()) { remove() })
	contains(t, dir, "file", young, "other.tmp")
}

func TestRemoveDeletes(t *testing.T) {
	dir := root(t)
	write(t, dir, "file", "content")
	if err := atomicfile.Remove(t.Context(), dir, "file"); err != nil {
		t.Fatal(err)
	}
	contains(t, dir)
	if err := atomicfile.Remove(t.Context(), dir, "file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removing nothing: %v", err)
	}
}

func TestNamesOutsideOfTheDirectoryAreRefused(t *testing.T) {
	dir := root(t)
	for _, name := range []string{"../file", filepath.Join(t.TempDir(), "file"), "a/../../file"} {
		if err := atomicfile.Write(t.Context(), dir, name, []byte("content")); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	if name := filepath.Join(dir.Name(), "..", "file"); exists(name) {
		t.Errorf("%s is there", strings.TrimPrefix(name, dir.Name()))
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
