package client_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/transport"
)

// texts is v as whatever somebody might print it by.
func texts(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	slog.New(slog.NewJSONHandler(&b, nil)).Info("", "value", v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("", "value", v)
	if data, err := json.Marshal(v); err == nil {
		b.Write(data)
	}
	return b.String()
}

// shows tells whether text holds the secret, in any notation of a string or of bytes.
func shows(text, secret string) bool {
	notations := []string{
		secret, url.QueryEscape(secret), fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"),
		base64.StdEncoding.EncodeToString([]byte(secret)),
	}
	return slices.ContainsFunc(notations, func(s string) bool { return strings.Contains(text, s) })
}

// exportedTypes are those that the package in dir declares.
func exportedTypes(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, fs.ErrNotExist)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				for _, spec := range g.Specs {
					if name := spec.(*ast.TypeSpec).Name; name.IsExported() {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

// Every exported type of the three packages, with secrets in it, printed in every
// way. A new type fails the test until it is shown here.
func TestNoExportedTypeShowsASecret(t *testing.T) {
	const secret, key, passphrase = "canary-secret-of-the-client", "canary-key-of-32-bytes-012345678", "canary-passphrase"
	inWorld(t, func(o *clienttest.Options) {
		o.Clients = []clienttest.Client{{ID: clienttest.PublicClient, Secret: secret}}
	}, func(t *testing.T, w *world) {
		sealer, err := tokenstore.NewSealer([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		byPassphrase, err := tokenstore.NewPassphraseSealer(passphrase)
		if err != nil {
			t.Fatal(err)
		}
		var cfg client.Config
		var event client.Event
		var request *client.TokenRequest
		x := w.start(func(c *client.Config, _ *process) {
			c.Store, c.Sealer = w.shared, sealer
			c.OnEvent = func(_ context.Context, e client.Event) { event = e }
			c.Auth = keepRequest{client.Secret(secret), &request}
			cfg = *c
		})
		rt := x.login()
		w.expire()
		x.works("X") // so that there is a request to show
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 400, Body: `{"error":"invalid_grant","error_description":"` + w.as.LiveRefreshToken("alice") + `"}`}, 1)
		at, err := x.me.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, failure := x.me.Refresh(t.Context(), nil)
		status, err := x.me.Status(t.Context())
		synctest.Wait() // for the events
		if err != nil || failure == nil || request == nil || event.Err == nil {
			t.Fatalf("nothing to show: %v, %v, %v, %v", err, failure, request, event)
		}
		basic, _ := strings.CutPrefix(request.Header.Get("Authorization"), "Basic ")
		files := filestore.New(filepath.Join(t.TempDir(), "grants"))
		user := func(context.Context) (string, string, error) { return "alice", secret, nil }

		list := map[string][]any{
			"client.Account":      {x.me},
			"client.AuthRequest":  {client.AuthRequest{}},
			"client.Browser":      {client.Browser{}},
			"client.Client":       {x.client},
			"client.ClientAuth":   {client.Secret(secret), client.SecretFunc(func(context.Context) (string, error) { return secret, nil })},
			"client.Config":       {cfg, &cfg, client.Config{Auth: client.Secret(secret), Sealer: byPassphrase, Store: files}},
			"client.Device":       {client.Device{}},
			"client.Error":        {failure},
			"client.Event":        {event, &event},
			"client.EventKind":    {event.Kind},
			"client.Failure":      {status.Failure},
			"client.Flow":         {client.Password{Read: user}},
			"client.FlowFunc":     {client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return at, nil })},
			"client.Password":     {client.Password{Read: user}},
			"client.Paste":        {client.Paste{}},
			"client.State":        {status.State},
			"client.Status":       {status, &status},
			"client.TokenRequest": {request, *request, []any{request}},

			"tokenstore.Key":       {w.key},
			"tokenstore.Lister":    {w.shared},
			"tokenstore.Locker":    {files},
			"tokenstore.Protected": {&desk{}},
			"tokenstore.Sealer":    {sealer, byPassphrase},
			"tokenstore.Store":     {w.shared, files},
			"tokenstore.Version":   {tokenstore.Version("1")},

			"transport.Challenge": {transport.Challenge{Scheme: "Bearer"}},
			"transport.Refresher": {x.me, x.me.TokenSource(t.Context())},
			"transport.Source":    {transport.FromOAuth2(oauth2.StaticTokenSource(at))},
			"transport.Transport": {x.me.Transport(nil), x.me.HTTPClient()},
		}
		for pkg, dir := range map[string]string{"client": ".", "tokenstore": "../tokenstore", "transport": "../transport"} {
			for _, name := range exportedTypes(t, dir) {
				if list[pkg+"."+name] == nil {
					t.Errorf("%s.%s is not shown here: add one with all the secrets that it can hold", pkg, name)
				}
			}
		}
		secrets := map[string]string{
			"client secret": secret, "key": key, "passphrase": passphrase, "access token": at.AccessToken,
			"first refresh token": rt, "refresh token": w.as.LiveRefreshToken("alice"), "credentials": basic,
		}
		for name, values := range list {
			for _, v := range values {
				text := texts(v)
				for what, s := range secrets {
					if s == "" {
						t.Fatalf("there is no %s", what)
					}
					if shows(text, s) {
						t.Errorf("%s shows the %s:\n%s", name, what, text)
					}
				}
			}
		}
	})
}

// keepRequest keeps the last request that was authenticated.
type keepRequest struct {
	client.ClientAuth

	last **client.TokenRequest
}

func (k keepRequest) Authenticate(ctx context.Context, r *client.TokenRequest) error {
	*k.last = r
	return k.ClientAuth.Authenticate(ctx, r)
}

// A server repeats the whole request in the error of every login.
func TestNoErrorOfALoginRepeatsTheRequest(t *testing.T) {
	const secret = "canary-secret-of-the-client"
	inWorld(t, func(o *clienttest.Options) {
		o.Clients = []clienttest.Client{{ID: clienttest.PublicClient, Secret: secret}}
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.GrantType != "" {
				clear(answer)
				answer["error"], answer["error_description"] = "invalid_grant", x.Form.Encode()
				answer["suberror"], answer["claims"] = x.Form.Get("code"), x.Form.Get("code_verifier")
			}
		}
	}, func(t *testing.T, w *world) {
		x := w.start(func(c *client.Config, _ *process) {
			c.Auth, c.RedirectURL = client.Secret(secret), "http://127.0.0.1/callback"
		})
		for name, flow := range map[string]client.Flow{
			"Password": client.Password{Read: func(context.Context) (string, string, error) { return "alice", "password", nil }},
			"Device": client.Device{Show: func(_ context.Context, p *oauth2.DeviceAuthResponse) error {
				return w.as.ApproveDevice(p.UserCode, "alice")
			}},
			"Paste": client.Paste{Read: func(_ context.Context, u string) (string, error) {
				hc := w.as.UserAgent("alice")
				hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				resp, err := hc.Get(u)
				if err != nil {
					return "", err
				}
				_ = resp.Body.Close()
				return resp.Header.Get("Location"), nil
			}},
		} {
			before := len(w.as.Exchanges())
			err := x.me.Login(t.Context(), flow)
			if err == nil {
				t.Fatalf("%s: a login that was refused succeeds", name)
			}
			text := texts(err)
			seen := 0
			for _, e := range w.as.Exchanges()[before:] {
				for _, parameter := range []string{"code", "code_verifier", "password", "device_code", "client_secret"} {
					if s := e.Form.Get(parameter); s != "" {
						if seen++; shows(text, s) {
							t.Errorf("the error of %s shows the %s:\n%s", name, parameter, text)
						}
					}
				}
			}
			if seen == 0 || shows(text, secret) {
				t.Errorf("%s: %d secrets were sent; %s", name, seen, text)
			}
		}
	})
}
