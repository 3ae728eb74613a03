package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

const mainProcess = "main"

// A stage is where the show takes place: a server, a directory for the store, and
// a user.
type stage struct {
	server *clienttest.Server // nil: a real one
	setup  setup              // of main
	user   client.Browser
}

// newStage prepares the stage. say shows a line to the person at once.
func newStage(ctx context.Context, o *options, say func(string)) (*stage, error) {
	s := &stage{setup: setup{
		Process: mainProcess, Issuer: o.issuer, ClientID: o.clientID, ClientSecret: o.secret,
		Params: o.ask, Key: make([]byte, 32), API: o.api, Goroutines: o.goroutines, Every: o.every,
	}}
	_, _ = rand.Read(s.setup.Key) // never fails
	if o.scopes != "" {
		s.setup.Scopes = strings.Fields(o.scopes)
	}
	s.user = client.Browser{RedirectURL: o.redirect, Open: func(url string) error { return show(url, say) }}
	if command := o.command(); len(command) > 0 {
		s.user.Open = func(url string) error { return run(ctx, append(command, url)) }
	}
	var err error
	if o.real() {
		err = s.meet(ctx)
	} else {
		err = s.serve(o)
	}
	if err != nil {
		return nil, err
	}
	if s.setup.Dir, err = os.MkdirTemp("", "regrant-quickstart-"); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// serve starts a server of our own, with an API.
func (s *stage) serve(o *options) error {
	server, err := clienttest.Start(clienttest.Options{
		AccessTokenLifetime: o.lifetime,
		Grace:               o.grace,
		LoginPage:           o.browser,
	})
	if err != nil {
		return err
	}
	s.server = server
	s.setup.Issuer, s.setup.ClientID = server.Issuer(), clienttest.PublicClient
	if s.setup.API == "" {
		s.setup.API = server.URL(clienttest.APIPath)
	}
	if !o.browser {
		s.user.Open = server.Browser()
	}
	return nil
}

// meet asks a real server for what to call, unless that is given.
func (s *stage) meet(ctx context.Context) error {
	if s.setup.API != "" {
		return nil
	}
	page := strings.TrimSuffix(s.setup.Issuer, "/") + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var metadata struct {
		UserInfo string `json:"userinfo_endpoint"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1<<20)).Decode(&metadata); err != nil {
		return fmt.Errorf("%s answered %s, and no metadata: %w", page, resp.Status, err)
	}
	if metadata.UserInfo == "" {
		return fmt.Errorf("%s names no userinfo endpoint: say with -api what to call", page)
	}
	s.setup.API = metadata.UserInfo
	return nil
}

// close leaves nothing behind. No process uses the directory any more.
func (s *stage) close() error {
	if s.server != nil {
		s.server.Close()
	}
	if s.setup.Dir == "" {
		return nil
	}
	return os.RemoveAll(s.setup.Dir)
}

// show opens the login page for a person, who can also open it by hand.
func show(url string, say func(string)) error {
	say("\nLog in here; your browser should open this page:\n\n" + url + "\n")
	if err := client.OpenBrowser(url); err != nil {
		say("No browser opens here, so open it yourself. The page has to reach this machine\nafter the login, so on another machine forward the port first.\n")
	}
	return nil
}

// run lets a command be the user. What it prints may hold the authorization
// code, so it is looked at only if it fails.
func run(ctx context.Context, command []string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // it is the command of -open, which the person gave
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w%s", command[0], err, lastLine(said.String()))
	}
	return nil
}

// lastLine is how most programs say why they end.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + last
	}
	return ""
}
