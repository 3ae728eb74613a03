package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/regrant/regrant/examples/cli/internal/profile"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/keyringstore"
)

// redirect looks at whether a browser login can come back.
func (e *Exam) redirect(ctx context.Context) {
	const check = "redirect"
	if wanted := e.Profile.RedirectURL; wanted != "" {
		u, err := url.Parse(wanted)
		switch {
		case err != nil || !local(u.Hostname()):
			e.found(check, Note, "the profile has a redirect URI of another machine: logins work with --code", "")
			return
		case u.Port() == "" || u.Port() == "0":
		case !listens(ctx, net.JoinHostPort(u.Hostname(), u.Port())):
			e.found(check, Problem, "port "+u.Port()+" of the redirect URI is in use", "end the program that has it, or register http://127.0.0.1/callback, whose port is free (RFC 8252 section 7.3)")
			return
		default:
			e.found(check, Good, "port "+u.Port()+" of the redirect URI is free", "")
			return
		}
	}
	v4, v6 := listens(ctx, "127.0.0.1:0"), listens(ctx, "[::1]:0")
	switch {
	case v4:
		e.found(check, Good, "logins come back to http://127.0.0.1/callback, with any port: register that", "")
	case v6:
		e.found(check, Warning, "this machine has no 127.0.0.1, but [::1]: few servers know that", "register http://[::1]/callback, too, or use --device")
	default:
		e.found(check, Problem, "no port can be opened on this machine", "use --device or --code")
	}
}

func listens(ctx context.Context, address string) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	return err == nil && l.Close() == nil
}

// browser looks at whether there is one for the user of this terminal.
func (e *Exam) browser() {
	const check = "browser"
	switch {
	case e.Getenv("BROWSER") != "":
		e.found(check, Good, "$BROWSER is opened", "")
	case e.Getenv("SSH_CONNECTION") != "" && e.Getenv("DISPLAY") == "":
		e.found(check, Note, "this is a session over SSH", "log in with --device, or with --code")
	case runtime.GOOS != "windows" && runtime.GOOS != "darwin" && e.Getenv("DISPLAY")+e.Getenv("WAYLAND_DISPLAY") == "":
		e.found(check, Note, "there is no desktop here", "log in with --device, or with --code")
	default:
		e.found(check, Good, "there is a desktop", "")
	}
}

// keychain looks at the place that grants have by default.
func (e *Exam) keychain(ctx context.Context) {
	const check = "keychain"
	if e.Profile.Store != "" && e.Profile.Store != profile.Keyring {
		return
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	store := keyringstore.New("regrant")
	store.Dir = e.Profile.Path
	err := store.Check(ctx)
	state := Problem
	if e.Profile.Store == "" {
		state = Warning // nothing depends on it yet
	}
	switch {
	case err == nil:
		e.found(check, Good, "it has the key of the grants", "")
	case errors.Is(err, tokenstore.ErrUnavailable):
		e.found(check, state, "there is none here, as on a machine without a desktop", "keep grants in files that a passphrase seals: "+e.Login+" --store file")
	case errors.Is(err, context.DeadlineExceeded):
		e.found(check, state, "it is locked, and nobody has unlocked it", "unlock it, or use --store file")
	default:
		e.found(check, state, "it cannot be used: "+err.Error(), "keep grants in files that a passphrase seals: "+e.Login+" --store file")
	}
}

// directory tries saves and locks on the file system of the grants. The probe has a
// directory of its own: nobody shall take it for a grant.
func (e *Exam) directory(ctx context.Context) {
	const check = "store"
	path := e.Profile.Path
	if path == "" {
		dir, err := profile.DataDir(e.Getenv)
		if err != nil {
			e.found(check, Problem, err.Error(), "set HOME, or --path")
			return
		}
		path = dir
	} else if e.Profile.Store == profile.SQLite {
		path = filepath.Dir(path)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		e.found(check, Problem, "the directory of the grants cannot be made: "+err.Error(), "choose another one: --path")
		return
	}
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		e.found(check, Problem, path+" can be written by others", "chmod go-w "+path)
	}
	probe, err := os.MkdirTemp(path, ".doctor-")
	if err != nil {
		e.found(check, Problem, "nothing can be written to "+path+": "+err.Error(), "whose is it? Is the disk full, or read-only?")
		return
	}
	defer func() { _ = os.RemoveAll(probe) }() // it has nothing of value
	if err := try(ctx, filestore.New(probe)); err != nil {
		e.found(check, Problem, "the file system of "+path+" is not fit for grants: "+err.Error(), "network file systems often know no locks: choose a local one with --path")
		return
	}
	e.found(check, Good, "saves and locks work in "+path, "")
}

// try saves, replaces, locks and deletes.
func try(ctx context.Context, s *filestore.Store) error {
	key := tokenstore.Key{Issuer: "https://doctor.example", ClientID: "doctor", Account: "probe"}
	v, err := s.Save(ctx, key, []byte("1"), "")
	if err != nil {
		return err
	}
	if _, err = s.Save(ctx, key, []byte("2"), ""); !errors.Is(err, tokenstore.ErrConflict) {
		return fmt.Errorf("it does not notice that somebody else has written (%w)", err)
	}
	if v, err = s.Save(ctx, key, []byte("2"), v); err != nil {
		return err
	}
	unlock, err := s.Lock(ctx, key)
	if err != nil {
		return err
	}
	brief, stop := context.WithTimeout(ctx, 100*time.Millisecond)
	defer stop()
	if again, err := s.Lock(brief, key); err == nil {
		again()
		unlock()
		return errors.New("two can have one lock")
	}
	unlock()
	if unlock, err = s.Lock(ctx, key); err != nil {
		return err
	}
	unlock()
	return s.Delete(ctx, key, v)
}
