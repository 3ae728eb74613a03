package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// start runs two programs in turn, from their start to their end: one that loads
// its grant and sends a request, and one that sends the request.
func start(tb testing.TB, s *scale, r *Report) {
	dir := tb.TempDir()
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", dir, "./start/...")
	build.Dir = filepath.Join(lab.Root(tb), "internal", "bench")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %v\n%s", build, err, out)
	}
	as := newServer(tb, time.Hour)
	key, grants := newKey(), filepath.Join(dir, "grants")
	me := newClient(tb, filestore.New(grants), nil, func(c *client.Config) {
		c.Issuer, c.ClientID, c.Endpoint = as.Issuer(), clienttest.PublicClient, as.Endpoint()
		c.Sealer = newSealer(tb, key)
	}).Account("alice")
	var token string
	logIn(tb, me, func(context.Context) (*oauth2.Token, error) {
		t := as.Grant("alice")
		token = t.AccessToken
		return t, nil
	})
	task, err := json.Marshal(map[string]any{
		"API": as.URL(clienttest.APIPath), "Token": token,
		"Issuer": as.Issuer(), "ClientID": clienttest.PublicClient, "Dir": grants, "Key": key,
	})
	if err != nil {
		tb.Fatal(err)
	}
	program := func(name string) contender {
		return contender{name, func() error {
			cmd := exec.CommandContext(tb.Context(), filepath.Join(dir, name))
			cmd.Stdin = bytes.NewReader(task)
			return cmd.Run()
		}}
	}
	all := []contender{program("grant"), program("bare")}
	lap(tb, 1, 1, all[0]) // from the disk, the first time
	lap(tb, 1, 1, all[1])
	var t timing
	for range s.starts {
		t = append(t, []float64{float64(lap(tb, 1, 1, all[0])), float64(lap(tb, 1, 1, all[1]))})
	}
	const ms = float64(time.Millisecond)
	r.row("regrant, filestore", Figure{"from start to end", t.of(0) / ms, "ms"})
	r.row("a bare http.Client", Figure{"from start to end", t.of(1) / ms, "ms"})
	r.atMost("above the bare program", (t.of(0)-t.of(1))/ms, 5, "ms")
	toServer := 0
	for _, x := range as.Exchanges() {
		if x.Path != clienttest.APIPath {
			toServer++
		}
	}
	r.atMost("requests to the authorization server", float64(toServer), 0, "")
	r.notef("%d starts of each; the programs are those in internal/bench/start", s.starts)
}
