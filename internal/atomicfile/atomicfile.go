// Package atomicfile replaces files whole: a reader, and whoever comes after a
// crash, finds the old content or the new one, never a mixture.
package atomicfile

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// Mode is the mode of every file that is written: what lies there is for the
// owner alone.
const Mode fs.FileMode = 0o600

// Write replaces the file of this name in dir by data. Until it has been renamed
// the new content has a name that [Sweep] recognizes, and any error leaves the
// old file as it was; an error after that (the directory could not be flushed to
// the disk) leaves the new file in place. It honours ctx up to the renaming.
func Write(ctx context.Context, dir *os.Root, name string, data []byte) error {
	temp := name + "." + rand.Text() + tempSuffix
	if err := writeTemp(dir, temp, data); err != nil {
		_ = dir.Remove(temp)
		return err
	}
	if err := patiently(ctx, func() error { return dir.Rename(temp, name) }); err != nil {
		_ = dir.Remove(temp)
		return err
	}
	return SyncDir(dir)
}

func writeTemp(dir *os.Root, name string, data []byte) (err error) {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, Mode)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync() // before the renaming, or a power cut leaves an empty file under the final name
}

// Read returns the content of the file of this name in dir. It does not follow a
// symbolic link, nor wait on a pipe: what is not a regular file is an error. It
// reads limit bytes at most, and says whether there are more.
func Read(ctx context.Context, dir *os.Root, name string, limit int64) (data []byte, more bool, err error) {
	var f *os.File
	err = patiently(ctx, func() (err error) { f, err = openRegular(dir, name); return })
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, false, err
	}
	if int64(len(data)) > limit {
		return data[:limit], true, nil
	}
	return data, false, nil
}

func openRegular(dir *os.Root, name string) (*os.File, error) {
	// Look before opening: opening a pipe waits for its other end.
	info, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("this is not a regular file (%s)", info.Mode().Type())}
	}
	return dir.Open(name)
}

// Remove deletes the file of this name in dir.
func Remove(ctx context.Context, dir *os.Root, name string) error {
	if err := patiently(ctx, func() error { return dir.Remove(name) }); err != nil {
		return err
	}
	return SyncDir(dir)
}

// patience bounds how long a file that others hold open is waited for.
const patience = 2 * time.Second

// patiently tries again while another process has the file open in a way that
// forbids the operation, which happens on Windows only: virus scanners,
// indexers and back-up programs open files of others at any time.
func patiently(ctx context.Context, operation func() error) error {
	began := time.Now()
	for delay := time.Millisecond; ; delay = min(2*delay, 50*time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := operation()
		if err == nil || !inUse(err) || time.Since(began) > patience {
			return err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}

const tempSuffix = ".regrant-tmp"

// tempAge is how old a temporary file must be to be looked at by Sweep: a young
// one has a writer most of the time.
const tempAge = time.Hour

// Sweep removes the temporary files that writers left in dir when they were
// killed more than an hour ago. A writer may also have been stopped for so long,
// or the clock set, so it is the caller who tells: alone gets the name of the
// file that was to be written, and calls remove while nobody else writes it, or
// not at all. Sweep does not insist.
func Sweep(dir *os.Root, alone func(name string, remove func())) error {
	entries, err := fs.ReadDir(dir.FS(), ".")
	for _, e := range entries {
		temp, isTemp := strings.CutSuffix(e.Name(), tempSuffix)
		dot := strings.LastIndexByte(temp, '.')
		if !isTemp || dot < 0 || !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > tempAge {
			alone(temp[:dot], func() { _ = dir.Remove(e.Name()) })
		}
	}
	return err
}
