// Package keychain_test proves keyringstore on real keychains: a GNOME Keyring on a
// session bus of its own, and, built for Windows, the Credential Manager.
package keychain_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/keyringstore"
)

func TestMain(m *testing.M) {
	programs := fleet.Programs(at)
	programs[keeper] = keep
	lab.Main(m, programs)
}

// A place is a keychain and a directory, as a process is told of it.
type place struct {
	Bus string // DBUS_SESSION_BUS_ADDRESS: a process has one for all its life
	Dir string
}

const program = "regrant-test"

func (p place) store() *keyringstore.Store {
	os.Setenv("DBUS_SESSION_BUS_ADDRESS", p.Bus)
	s := keyringstore.New(program)
	s.Dir = p.Dir
	return s
}

// String is how the place is told to a process.
func (p place) String() string {
	text, _ := json.Marshal(p)
	return string(text)
}

func at(text string) (tokenstore.Store, error) {
	var p place
	err := json.Unmarshal([]byte(text), &p)
	return p.store(), err
}

// directory returns one for a store that nobody else uses.
func directory(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "grants")
}

var key = tokenstore.Key{Issuer: "https://issuer.example", ClientID: "cli", Account: "alice"}

// keeper is a program that does with a store what it is told.
const keeper = "keeper"

// An order is what it is told, and a report what came of it.
type order struct {
	Do       string // check, load or save
	Account  string
	Data     string
	Patience time.Duration // zero: all of it
}

type report struct {
	Data                                  string
	Error                                 string
	Took                                  time.Duration
	Unavailable, NotFound, Lost, Deadline bool // what the error is
}

func keep(child *lab.Child) error {
	var p place
	if err := child.Receive(&p); err != nil {
		return err
	}
	s := p.store()
	for {
		var o order
		if err := child.Receive(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := child.Report(do(s, o)); err != nil {
			return err
		}
	}
}

func do(s *keyringstore.Store, o order) report {
	ctx := context.Background()
	if o.Patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Patience)
		defer cancel()
	}
	k := key
	k.Account = o.Account
	began := time.Now()
	var data []byte
	var err error
	switch o.Do {
	case "check":
		err = s.Check(ctx)
	case "load":
		data, _, err = s.Load(ctx, k)
	case "save":
		_, err = s.Save(ctx, k, []byte(o.Data), "")
	}
	r := report{Data: string(data), Took: time.Since(began)}
	if err != nil {
		r.Error = err.Error()
		r.Unavailable, r.NotFound = errors.Is(err, tokenstore.ErrUnavailable), errors.Is(err, tokenstore.ErrNotFound)
		r.Lost, r.Deadline = errors.Is(err, keyringstore.ErrKeyLost), errors.Is(err, context.DeadlineExceeded)
	}
	return r
}

// A user is a process that uses a store.
type user struct{ p *lab.Process }

func start(t testing.TB, p place) user { return user{lab.Start(t, keeper, p)} }

func (u user) do(o order) (r report) {
	u.p.Send(o)
	u.p.Receive(&r)
	return r
}
