package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// Field cases of files: failures of other programs that were reported in public.
// internal/docs/field-cases.md has the list.

func TestFieldCase_aws_aws_cli_10628_AReaderSeesTheOldRecordOrTheNewOne(t *testing.T) {
	k, dir := key("me"), filepath.Join(t.TempDir(), "grants")
	content := func(n int) string { return strings.Repeat(string(rune('a'+n%26)), 10+(n%7)*20_000) }
	v := save(t, filestore.New(dir), k, content(0), "")
	var written atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			s := filestore.New(dir)
			for !written.Load() {
				data, _, err := s.Load(t.Context(), k)
				if err != nil || len(data) == 0 || strings.Trim(string(data), string(data[:1])) != "" || (len(data)-10)%20_000 != 0 {
					t.Errorf("%d bytes were read, %v", len(data), err)
					return
				}
			}
		})
	}
	for n := range 100 {
		v = save(t, filestore.New(dir), k, content(n), v)
	}
	written.Store(true)
	readers.Wait()
}

func TestFieldCase_AzureAD_microsoft_authentication_library_for_go_402_NoWriteIsLost(t *testing.T) {
	s := filestore.New(filepath.Join(t.TempDir(), "grants"))
	v := save(t, s, key("shared"), "first", "")
	var won atomic.Int32
	var writers sync.WaitGroup
	for i := range 50 {
		writers.Go(func() {
			if _, err := s.Save(context.Background(), key(fmt.Sprint(i)), fmt.Append(nil, i), ""); err != nil {
				t.Error(err)
			}
			switch _, err := s.Save(context.Background(), key("shared"), fmt.Append(nil, i), v); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, tokenstore.ErrConflict):
				t.Error(err)
			}
		})
	}
	writers.Wait()
	for i := range 50 {
		holds(t, s, key(fmt.Sprint(i)), fmt.Sprint(i))
	}
	if n := won.Load(); n != 1 {
		t.Errorf("%d of 50 writers with the same version have won", n)
	}
}

func TestFieldCase_int128_kubelogin_1144_TheLockIsNoPartOfTheRecord(t *testing.T) {
	k := key("me")
	dir, _ := kept(t, k)
	s := filestore.New(dir)
	unlock, err := s.Lock(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	_, v, err := s.Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(pathOf(dir, k), pathOf(dir, k)+".elsewhere"); err != nil {
		t.Errorf("the file cannot be renamed while its lock is held: %v", err)
	}
	if err := os.Rename(pathOf(dir, k)+".elsewhere", pathOf(dir, k)); err != nil {
		t.Fatal(err)
	}
	v = save(t, filestore.New(dir), k, "new", v)
	unlock()
	locks := files(t, dir, "*.lock")
	if err := s.Delete(t.Context(), k, v); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir, "*.lock"); len(locks) == 0 || len(left) != len(locks) {
		t.Errorf("lock files: %v, then %v: somebody may be waiting for one that is gone", locks, left)
	}
}
