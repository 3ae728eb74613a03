package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// What happens when programs on one host share a login: each has read the grant,
// and all of them need another access token at the same time. The server rotates,
// and a refresh token that comes twice ends the grant (RFC 9700 section 4.14.2).

const sharerProgram = "sharer"

// sharerConfig is what one of the programs has to know.
type sharerConfig struct {
	Issuer string
	Key    []byte // of the filestore; nil: the file is the token as JSON, for x/oauth2
	Path   string
}

func sharedFile(tb testing.TB, s *scale, r *Report) {
	for _, key := range [][]byte{newKey(), nil} {
		as := newServer(tb, time.Hour)
		cfg := sharerConfig{Issuer: as.Issuer(), Key: key, Path: filepath.Join(tb.TempDir(), "grant")}
		old := as.Grant("alice")
		old.Expiry = time.Now().Add(-time.Second)
		if err := cfg.keep(tb, old); err != nil {
			tb.Fatal(err)
		}
		var all []*lab.Process
		for range s.sharers {
			p := lab.Start(tb, sharerProgram, cfg)
			p.Receive(new(bool)) // it has read the grant
			all = append(all, p)
		}
		began := time.Now()
		for _, p := range all {
			p.Send(true)
		}
		survivors := 0
		for _, p := range all {
			var got bool
			if p.Receive(&got); got {
				survivors++
			}
		}
		took := time.Since(began)
		for _, p := range all {
			p.Close()
		}
		alive := 0.0
		if as.FamilyAlive("alice") {
			alive = 1
		}
		who := "x/oauth2 and a JSON file"
		if key != nil {
			who = "regrant and a filestore"
			r.atLeast("programs that have a token", float64(survivors), float64(s.sharers), "")
			r.atMost("token requests", float64(as.RefreshCount()), 1, "")
		}
		r.row(who, Figure{"programs that have a token", float64(survivors), ""}, Figure{"token requests", float64(as.RefreshCount()), ""},
			Figure{"reuses seen", float64(as.Reused()), ""}, Figure{"grants alive", alive, ""}, Figure{"the last has its answer after", millis(took), "ms"})
	}
	r.notef("%d processes, each of which has read the grant before", s.sharers)
}

func (c sharerConfig) open() (*client.Client, error) {
	sealer, err := tokenstore.NewSealer(c.Key)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		Issuer: c.Issuer, ClientID: clienttest.PublicClient, Store: filestore.New(c.Path), Sealer: sealer, Endpoint: c.endpoint(),
	})
}

func (c sharerConfig) endpoint() oauth2.Endpoint {
	return oauth2.Endpoint{TokenURL: c.Issuer + clienttest.TokenPath, AuthStyle: oauth2.AuthStyleInParams}
}

// keep lays the grant down.
func (c sharerConfig) keep(tb testing.TB, t *oauth2.Token) error {
	tb.Helper()
	if c.Key == nil {
		return c.write(t)
	}
	cl, err := c.open()
	if err != nil {
		return err
	}
	logIn(tb, cl.Account("alice"), func(context.Context) (*oauth2.Token, error) { return t, nil })
	return cl.Close()
}

func (c sharerConfig) write(t *oauth2.Token) error {
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return os.WriteFile(c.Path, data, 0o600)
}

// sharer is one of the programs. It tells whether it has got a token.
func sharer(child *lab.Child) error {
	var cfg sharerConfig
	if err := child.Receive(&cfg); err != nil {
		return err
	}
	token, closed, err := cfg.prepare()
	if err != nil {
		return err
	}
	if err := errors.Join(child.Report(true), child.Receive(new(bool))); err != nil {
		return err
	}
	got := token(context.Background()) == nil
	if err := errors.Join(child.Report(got), closed()); err != nil {
		return err
	}
	if err := child.Receive(new(bool)); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// prepare reads the grant, and returns what renews and keeps it.
func (c sharerConfig) prepare() (token func(context.Context) error, closed func() error, err error) {
	if c.Key != nil {
		cl, err := c.open()
		if err != nil {
			return nil, nil, err
		}
		me := cl.Account("alice")
		_, err = me.Status(context.Background())
		return func(ctx context.Context) error { _, err := me.Token(ctx); return err }, cl.Close, err
	}
	data, err := os.ReadFile(c.Path)
	if err != nil {
		return nil, nil, err
	}
	var kept oauth2.Token
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, nil, err
	}
	cfg := oauth2.Config{ClientID: clienttest.PublicClient, Endpoint: c.endpoint()}
	return func(ctx context.Context) error {
		t, err := cfg.TokenSource(ctx, &kept).Token()
		if err != nil {
			return err
		}
		return c.write(t)
	}, func() error { return nil }, nil
}
