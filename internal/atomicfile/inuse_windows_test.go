package atomicfile_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/regrant/regrant/internal/atomicfile"
)

// hold opens a file as a virus scanner does: nobody may replace it meanwhile.
func hold(t *testing.T, path string) (release func()) {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = windows.CloseHandle(h) }
}

func TestAFileThatIsOpenElsewhereIsWaitedFor(t *testing.T) {
	dir := root(t)
	write(t, dir, "file", "first")
	release := hold(t, filepath.Join(dir.Name(), "file"))
	time.AfterFunc(200*time.Millisecond, release)
	write(t, dir, "file", "second")
	holds(t, dir, "file", "second")
}

func TestAFileThatStaysOpenIsWaitedForUntilTheEndOfCtx(t *testing.T) {
	dir := root(t)
	write(t, dir, "file", "first")
	release := hold(t, filepath.Join(dir.Name(), "file"))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := atomicfile.Write(ctx, dir, "file", []byte("second"))
	release()
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	holds(t, dir, "file", "first")
	contains(t, dir, "file")
}
