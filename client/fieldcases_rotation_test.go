package client_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
)

// The field cases are failures of other programs that were reported in public.
// Each test has the report in its name. internal/docs/field-cases.md lists all of
// them, with those that are shown in other packages.
//
// This file is about what is rotated and kept.

func TestFieldCase_golang_oauth2_84_TheSuccessorIsStoredBeforeAnybodyGetsTheToken(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		saving := make(chan struct{})
		onResult(x, &x.beforeSave, func(*record.Record) error { <-saving; return nil })
		got := x.async()
		time.Sleep(3 * time.Second)
		select {
		case <-got:
			t.Error("a caller got a token whose refresh token is not stored")
		default:
		}
		close(saving)
		if r := <-got; r.err != nil {
			t.Fatal(r.err)
		}
		if w.stored().RefreshToken != w.as.LiveRefreshToken("alice") {
			t.Error("what is stored is not what the server gave")
		}
	})
}

// timed is a desk whose writes have a deadline.
type timed struct {
	*desk
	t *testing.T
}

func (s timed) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	if _, ok := ctx.Deadline(); !ok {
		s.t.Error("a Save has no deadline")
	}
	return s.desk.Save(ctx, key, data, old)
}

func TestFieldCase_golang_go_77502_ASaveThatFailsIsToldAndHasADeadline(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(func(c *client.Config, p *process) { c.Store = timed{&desk{p}, t} })
		x.login()
		w.expire()
		x.storeFails(10 * time.Second)
		x.works("X")
		if !x.happened(client.SaveFailed) {
			t.Fatal("nobody was told")
		}
		for _, e := range x.events {
			if e.Kind == client.SaveFailed && (e.Key != w.key || !errors.Is(e.Err, errStore)) {
				t.Errorf("the event is about %v: %v", e.Key, e.Err)
			}
		}
	})
}

func TestFieldCase_stacklok_toolhive_5636_AfterAFailedSaveTheSpentTokenIsNotSentAgain(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		spent := x.login()
		w.expire()
		x.storeFails(3 * lifetime)
		x.works("X, which cannot save,")
		for range 60 {
			time.Sleep(5 * time.Second)
			_, _ = x.me.Token(t.Context())
		}
		if n := w.as.Presented(spent); n != 1 {
			t.Errorf("the first refresh token was sent %d times", n)
		}
		x.works("X")
		if w.stored().RefreshToken != w.as.LiveRefreshToken("alice") {
			t.Error("the newest refresh token was not saved when that became possible")
		}
	})
}

func TestFieldCase_buildkite_cli_852_ARefusalOfAnOldTokenEndsNoNewerOne(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		var newer string
		x.beforeSend = func() { newer = y.login() }
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}, 1)
		x.works("X")
		if rec := w.stored(); rec.RefreshToken != newer || rec.Refused != nil {
			t.Error("the newer token is gone, or marked as dead")
		}
	})
}

func TestFieldCase_oauth_wg_oauth_v2_1_212_ALostAnswerIsARetryAndNeverALoop(t *testing.T) {
	for name, set := range map[string]func(*clienttest.Options){"grace": grace(lifetime), "strict": strictFamily} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, set, func(t *testing.T, w *world) {
				x := w.start()
				spent := x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 1)
				_, err := x.me.Token(t.Context())
				if name == "grace" && err != nil || name == "strict" && !errors.Is(err, client.ErrLoginRequired) {
					t.Errorf("Token: %v", err)
				}
				for range 30 {
					time.Sleep(time.Second)
					_, _ = x.me.Token(t.Context())
				}
				if n := w.as.Presented(spent); n != 2 {
					t.Errorf("the refresh token was sent %d times", n)
				}
			})
		})
	}
}

// jammed seals nothing new for a while.
type jammed struct {
	noSeal
	w     *world
	until time.Time
}

func (j *jammed) Encrypt(plaintext, _ []byte) ([]byte, error) {
	rec, err := record.Decode(plaintext, j.w.key.String())
	if err == nil && rec.Intent == nil && time.Now().Before(j.until) {
		err = errors.New("the key is out of reach")
	}
	return plaintext, err
}

func TestFieldCase_auth0_Auth0_Android_661_ATokenThatCannotBeSealedIsNotLost(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		jam := &jammed{w: w}
		x := w.start(func(c *client.Config, _ *process) { c.Store, c.Sealer = w.shared, jam })
		x.login()
		w.expire()
		jam.until = time.Now().Add(20 * time.Second)
		x.works("X, which cannot seal,")
		time.Sleep(25 * time.Second)
		if w.stored().RefreshToken != w.as.LiveRefreshToken("alice") {
			t.Error("the new refresh token was not saved when that became possible")
		}
	})
}

func TestFieldCase_auth0_Auth0_Android_258_ARecordThatDoesNotOpenStaysAsItIs(t *testing.T) {
	as := clienttest.NewMemoryServer(t)
	dir := t.TempDir() + "/grants"
	account := func(key byte) *client.Account {
		cfg := as.Config()
		cfg.Store = filestore.New(dir)
		cfg.Sealer, _ = tokenstore.NewSealer(slices.Repeat([]byte{key}, 32))
		return started(t, cfg).Account("alice")
	}
	if err := account(1).Login(t.Context(), granted(as)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(grantFile(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	other := account(2)
	_, tokenErr := other.Token(t.Context())
	_, refreshErr := other.Refresh(t.Context(), nil)
	for _, err := range []error{tokenErr, refreshErr, other.Ensure(t.Context(), granted(as))} {
		if !errors.Is(err, tokenstore.ErrUnreadable) || errors.Is(err, client.ErrLoginRequired) {
			t.Errorf("the error is %v", err)
		}
	}
	if after, err := os.ReadFile(grantFile(t, dir)); err != nil || string(after) != string(before) {
		t.Errorf("the file has changed, or is gone: %v", err)
	}
}

func TestFieldCase_auth0_Auth0_swift_144_AnAnswerWithoutARefreshTokenKeepsTheOneThereIs(t *testing.T) {
	for name, value := range map[string]any{"absent": struct{}{}, "null": nil, "empty": ""} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(o *clienttest.Options) {
				o.Rotation = clienttest.NoRotation
				o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
					if x.GrantType == "refresh_token" && name != "absent" {
						answer["refresh_token"] = value
					}
				}
			}, func(t *testing.T, w *world) {
				x := w.start()
				kept := x.login()
				for range 3 {
					w.expire()
					x.works("X")
				}
				if n := w.as.Presented(kept); n != 3 {
					t.Errorf("the refresh token was sent %d times in 3 renewals", n)
				}
			})
		})
	}
}

func TestFieldCase_modelcontextprotocol_typescript_sdk_2034_NoFailedSavePassesForSuccess(t *testing.T) {
	down := func(p *process) {
		var fail func(*record.Record) error
		fail = func(*record.Record) error { plant(p, &p.beforeSave, fail); return errStore }
		plant(p, &p.beforeSave, fail)
	}
	for name, attempt := range map[string]func(p *process) error{
		"login":   func(p *process) error { return p.me.Login(p.w.t.Context(), granted(p.w.as)) },
		"ensure":  func(p *process) error { return p.me.Ensure(p.w.t.Context(), granted(p.w.as)) },
		"renewal": func(p *process) error { _, err := p.me.Refresh(p.w.t.Context(), nil); return err },
		"end": func(p *process) error {
			p.storeFails(time.Hour)
			if _, err := p.me.Refresh(p.w.t.Context(), nil); err != nil {
				p.w.t.Errorf("Refresh, whose result is kept in memory: %v", err)
			}
			return p.client.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				if name == "renewal" || name == "end" {
					x.login()
				}
				if name != "end" {
					down(x)
				}
				if err := attempt(x); err == nil {
					t.Error("nothing could be saved, and nobody was told")
				}
			})
		})
	}
}

func TestFieldCase_modelcontextprotocol_python_sdk_3250_AProcessKnowsThatTheTokenItFindsHasExpired(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		w.expire()
		w.start().works("a new process")
		w.requests(1)
		for _, e := range w.as.Exchanges() {
			if e.Path == clienttest.APIPath && e.Status != 200 {
				t.Errorf("the API was asked with a token that it answers with %d", e.Status)
			}
		}
	})
}

func TestFieldCase_modelcontextprotocol_python_sdk_2492_ANewProcessAsksTheEndpointThatTheServerNames(t *testing.T) {
	as, err := clienttest.Start(clienttest.Options{InMemory: true, Issuer: "https://as.example/tenants/1/"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(as.Close)
	cfg := as.Config()
	if err := started(t, cfg).Account("alice").Login(t.Context(), granted(as)); err != nil {
		t.Fatal(err)
	}
	next := started(t, cfg)
	if _, err := next.Account("alice").Refresh(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, e := range as.Exchanges() {
		if !slices.Contains([]string{clienttest.DiscoveryPath, clienttest.JWKSPath, clienttest.TokenPath}, e.Path) || e.Status != 200 {
			t.Errorf("a request to %s, which the server answers with %d", e.Path, e.Status)
		}
	}
}

// started starts a Client that ends with the test.
func started(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// granted logs in as alice, without any request.
func granted(as *clienttest.Server) client.Flow {
	return client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return as.Grant("alice"), nil })
}
