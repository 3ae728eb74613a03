package filestore_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// onSmallDisk runs the test again with a disk of 64 KiB of its own, and returns
// where it is mounted, or "" in the run that is only the parent.
func onSmallDisk(t *testing.T) (mounted string) {
	t.Helper()
	const inside = "REGRANT_SMALL_DISK"
	if dir := os.Getenv(inside); dir != "" {
		return dir
	}
	missing := t.Skip
	if os.Getenv("REGRANT_TEST_REQUIRE") == "all" {
		missing = t.Fatal
	}
	dir := t.TempDir()
	inNamespace := func(args ...string) *exec.Cmd {
		namespace := []string{"--mount"}
		if os.Geteuid() != 0 {
			namespace = append(namespace, "--user", "--map-root-user")
		}
		script := `mount -t tmpfs -o size=64k tmpfs "$` + inside + `"; exec "$@"`
		cmd := exec.CommandContext(t.Context(), "unshare", append(append(namespace, "sh", "-ec", script, "sh"), args...)...)
		cmd.Env = append(os.Environ(), inside+"="+dir)
		return cmd
	}
	if out, err := inNamespace("true").CombinedOutput(); err != nil {
		missing("needs unshare (util-linux) and the right to mount, or user namespaces: ", err, " ", string(out))
	}
	cmd := inNamespace(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return ""
}

func TestOnAFullDiskNothingIsLost(t *testing.T) {
	disk := onSmallDisk(t)
	if disk == "" {
		return
	}
	dir := filepath.Join(disk, "grants")
	s := filestore.New(dir)
	v := save(t, s, key("me"), "first", "")
	save(t, s, key("you"), "yours", "")
	filler := fill(t, disk)

	_, err := s.Save(t.Context(), key("me"), make([]byte, 16<<10), v)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Save: %v", err)
	}
	if _, err := s.Save(t.Context(), key("new"), []byte("new"), ""); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a creating Save: %v", err)
	}
	holds(t, s, key("me"), "first")
	holds(t, s, key("you"), "yours")
	if _, _, err := s.Load(t.Context(), key("new")); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("Load of what could not be created: %v", err)
	}
	if left := files(t, dir, "*-tmp"); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	save(t, s, key("me"), "second", v)
	holds(t, s, key("me"), "second")
}

// fill writes a file until the disk is full.
func fill(t *testing.T, disk string) (name string) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func TestAReadOnlyDiskCanBeRead(t *testing.T) {
	disk := onSmallDisk(t)
	if disk == "" {
		return
	}
	s := filestore.New(filepath.Join(disk, "grants"))
	v := save(t, s, key("me"), "first", "")
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	holds(t, s, key("me"), "first")
	for k, err := range s.List(t.Context(), tokenstore.Key{}) {
		if k != key("me") || err != nil {
			t.Errorf("List yielded %v, %v", k, err)
		}
	}
	_, saveErr := s.Save(t.Context(), key("me"), []byte("second"), v)
	_, createErr := s.Save(t.Context(), key("new"), []byte("new"), "")
	deleteErr := s.Delete(t.Context(), key("me"), v)
	_, lockErr := s.Lock(t.Context(), key("me"))
	_, elsewhere := filestore.New(filepath.Join(disk, "other", "grants")).Save(t.Context(), key("me"), nil, "")
	for name, err := range map[string]error{"Save": saveErr, "Save of a new key": createErr, "Delete": deleteErr, "Lock": lockErr, "Save in a new directory": elsewhere} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v", name, err)
		}
	}
	holds(t, s, key("me"), "first")
}
