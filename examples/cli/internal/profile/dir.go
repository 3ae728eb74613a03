package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/regrant/regrant/examples/cli/internal/exit"
)

// A Dir is where profiles are kept, each in a file of its own.
type Dir struct{ path string }

const suffix = ".toml"

// Open returns the directory of the user's profiles, which need not exist:
// $XDG_CONFIG_HOME/regrant/profiles, or where the system keeps configurations.
func Open(getenv func(string) string) (Dir, error) {
	base := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(base) { // the XDG Base Directory Specification ignores a relative one
		var err error
		if base, err = os.UserConfigDir(); err != nil {
			return Dir{}, exit.With(exit.Configuration, "set HOME, or XDG_CONFIG_HOME, to a directory of yours", fmt.Errorf("there is no place for the configuration: %w", err))
		}
	}
	return Dir{filepath.Join(base, "regrant", "profiles")}, nil
}

// DataDir returns where grants are kept unless a profile says otherwise:
// $XDG_DATA_HOME/regrant, or where the system keeps data.
func DataDir(getenv func(string) string) (string, error) {
	base := getenv("XDG_DATA_HOME")
	home, err := os.UserHomeDir()
	switch {
	case filepath.IsAbs(base):
	case runtime.GOOS == "windows" && getenv("LocalAppData") != "":
		base = getenv("LocalAppData")
	case err != nil:
		return "", exit.With(exit.Store, "set HOME, or XDG_DATA_HOME, to a directory of yours", fmt.Errorf("there is no place for grants: %w", err))
	case runtime.GOOS == "darwin":
		base = filepath.Join(home, "Library", "Application Support")
	default:
		base = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(base, "regrant"), nil
}

// File returns the path of the file of a profile.
func (d Dir) File(name string) string { return filepath.Join(d.path, name+suffix) }

// List returns the names of all profiles, in order.
func (d Dir) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if n, ok := strings.CutSuffix(e.Name(), suffix); ok && CheckName(n) == nil {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Load reads a profile. If there is none, errors.Is(err, fs.ErrNotExist).
func (d Dir) Load(name string) (Profile, error) {
	p := Profile{Name: name}
	if err := CheckName(name); err != nil {
		return p, exit.With(exit.Configuration, "give another name by --profile, or by REGRANT_PROFILE", err)
	}
	data, err := os.ReadFile(d.File(name))
	if err != nil {
		return p, err
	}
	// Fields of Profile alone: what the file says twice, or wrongly, is an error.
	meta, err := toml.Decode(string(data), &p)
	if unknown := meta.Undecoded(); err == nil && len(unknown) > 0 {
		err = fmt.Errorf("%q is not known", unknown[0])
	}
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		return p, exit.With(exit.Configuration, "edit or delete "+d.File(name), fmt.Errorf("%s: %w", d.File(name), err))
	}
	return p, nil
}

// Save writes a profile, whole or not at all.
func (d Dir) Save(p Profile) (err error) {
	if err := errors.Join(CheckName(p.Name), p.Check()); err != nil {
		return err
	}
	var text bytes.Buffer
	e := toml.NewEncoder(&text)
	e.Indent = ""
	if err := e.Encode(p); err != nil {
		return err
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.path, ".new-*") // 0600, and no name of a profile
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), d.File(p.Name))
}
