package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/keyringstore"
)

// A task is what the programs of a start read from their standard input. Each
// takes what it needs.
type task struct {
	API, Token       string
	Issuer, ClientID string
	Dir              string
	Key              []byte // of the filestore; nil: it is a keyringstore
	Keychain         string // under which name it keeps its key
}

// startFile starts programs whose grant is in a filestore.
func startFile(tb testing.TB, s *scale, r *Report) {
	t := task{Dir: filepath.Join(tb.TempDir(), "grants"), Key: newKey()}
	starts(tb, s, r, t, filestore.New(t.Dir), nil)
}

// startKeyring starts programs whose grant is sealed with a key from a keychain.
// What the keychain takes by itself, a program shows that reads one entry of it and
// knows nothing of regrant.
func startKeyring(tb testing.TB, s *scale, r *Report) {
	startKeychain(tb)
	t := task{Dir: filepath.Join(tb.TempDir(), "grants"), Keychain: "regrant-bench"}
	if err := keyring.Set(t.Keychain, "an entry", "of as many bytes as a key has, in base64url"); err != nil {
		tb.Fatal(err)
	}
	store := keyringstore.New(t.Keychain)
	store.Dir = t.Dir
	starts(tb, s, r, t, store, []string{"keychain"})
}

// startKeychain starts a keychain, unlocked, for this process and those that it
// starts.
func startKeychain(tb testing.TB) {
	tb.Helper()
	bus := lab.StartSessionBus(tb)
	bus.StartKeychain(tb, true)
	tb.Setenv("DBUS_SESSION_BUS_ADDRESS", bus.Address)
}

// starts runs programs in turn, from their start to their end: one that loads its
// grant and sends a request, one that sends the request, and others.
func starts(tb testing.TB, s *scale, r *Report, t task, store tokenstore.Store, others []string) {
	tb.Helper()
	dir := tb.TempDir()
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", dir, "./start/...")
	build.Dir = filepath.Join(lab.Root(tb), "internal", "bench")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %v\n%s", build, err, out)
	}
	as := newServer(tb, time.Hour)
	t.API, t.Issuer, t.ClientID = as.URL(clienttest.APIPath), as.Issuer(), clienttest.PublicClient
	me := newClient(tb, store, nil, func(c *client.Config) {
		c.Issuer, c.ClientID, c.Endpoint = t.Issuer, t.ClientID, as.Endpoint()
		c.Sealer = nil
		if t.Key != nil {
			c.Sealer = newSealer(tb, t.Key)
		}
	}).Account("alice")
	logIn(tb, me, func(context.Context) (*oauth2.Token, error) {
		got := as.Grant("alice")
		t.Token = got.AccessToken
		return got, nil
	})
	input, err := json.Marshal(t)
	if err != nil {
		tb.Fatal(err)
	}
	var all []contender
	for _, name := range append([]string{"grant", "bare"}, others...) {
		all = append(all, contender{name, func() error {
			cmd := exec.CommandContext(tb.Context(), filepath.Join(dir, name))
			cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
			return cmd.Run()
		}})
		lap(tb, 1, 1, all[len(all)-1]) // from the disk, the first time
	}
	var took timing
	for range s.starts {
		var round []float64
		for _, c := range all {
			round = append(round, float64(lap(tb, 1, 1, c)))
		}
		took = append(took, round)
	}
	const ms = float64(time.Millisecond)
	row := func(who string, i int) {
		r.row(who, Figure{"from start to end", took.of(i) / ms, "ms"}, Figure{"above the bare program", (took.of(i) - took.of(1)) / ms, "ms"}, Figure{"to it", took.ratio(i, 1), "×"})
	}
	row("regrant", 0)
	row("a bare http.Client", 1)
	own := 0.0 // of the keychain
	if len(others) > 0 {
		row("a bare http.Client, and one read of the keychain", 2)
		own = (took.of(2) - took.of(1)) / ms
		r.notef("the keychain's own time is %s ms: what one read of it adds to the bare program", number(own))
	}
	r.atMost("above the bare program, the keychain's own time apart", (took.of(0)-took.of(1))/ms-own, 5, "ms")
	toServer := 0
	for _, x := range as.Exchanges() {
		if x.Path != clienttest.APIPath {
			toServer++
		}
	}
	r.atMost("requests to the authorization server", float64(toServer), 0, "")
	r.notef("%d starts of each; the programs are those in internal/bench/start", s.starts)
}
