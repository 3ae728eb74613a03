package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

func TestTheShellCompletesProfilesAndAccountsWithoutAskingAnybody(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	h.login(s, "--as", "work")
	h = h.with("REGRANT_PASSPHRASE_FILE=") // which could not be answered
	for args, want := range map[string]string{
		"token --as ":            "default\nwork\n",
		"token --profile ":       "default\n",
		"login --store ":         "keyring\nfile\nsqlite\n",
		"token -p missing --as ": "",
	} {
		o := h.must(append([]string{"__complete"}, strings.Split(args, " ")...)...)
		if got, _, _ := strings.Cut(o.out, ":"); got != want {
			t.Errorf("%q is completed by %q, want %q", args, got, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		contains(t, h.must("completion", shell).out, "regrant")
	}
}

func TestEveryCommandHasAManualPageAndTheFirstHasTheExitCodes(t *testing.T) {
	h := newHome(t)
	h.must("man", "pages")
	pages, err := os.ReadDir(h.path("pages"))
	if err != nil || len(pages) < 15 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	text, err := os.ReadFile(h.path("pages", "regrant.1"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(text), "Exit codes", "130 after ^C")
	contains(t, h.must("--help").out, "Exit codes:", "130 after ^C")
	contains(t, h.must("--version").out, "regrant version")
}

func TestALoginThatFailsSaysWhatToDo(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	login := func(issuer, id string, more ...string) []string {
		return append([]string{"login", issuer, "--client-id", id, "--store", "file"}, more...)
	}
	for _, tc := range []struct {
		what string
		home *home
		args []string
		code int
		says []string
	}{
		{"another issuer", h, login(s.Issuer()+"/", clienttest.PublicClient), 5, []string{"names another issuer", "regrant doctor " + s.Issuer()}},
		{"no server", h, login("http://127.0.0.1:1", "x"), 4, []string{"refused"}},
		{"no https", h, login("http://login.example.com", "x"), 5, []string{"the issuer is plain http: use https"}},
		{"a secret is missing", h, login(s.Issuer(), clienttest.ConfidentialClient), 5, []string{"--client-secret"}},
		{"no browser", h.with("BROWSER="), login(s.Issuer(), clienttest.PublicClient), 1, []string{"no browser can be opened here", "--device (or --code, or --no-browser)"}},
		{"nobody at the terminal", h, login(s.Issuer(), clienttest.PublicClient, "--password"), 2, []string{"there is no terminal to ask on", "run it on a terminal"}},
		{"no time", h, login(s.Issuer(), clienttest.PublicClient, "--device", "--timeout", "1s"), 7, []string{"in time", "--device --timeout 2s"}},
		{"not a scope", h, login(s.Issuer(), clienttest.PublicClient, "--scope", "a b"), 5, []string{`--scope: "a b"`}},
		{"not a parameter", h, login(s.Issuer(), clienttest.PublicClient, "--param", "x"), 2, []string{"NAME=VALUE"}},
		{"no such store", h, login(s.Issuer(), clienttest.PublicClient, "--store", "cloud"), 2, []string{"keyring, file or sqlite"}},
	} {
		o := tc.home.run(tc.args...)
		if o.code != tc.code {
			t.Errorf("%s: exit code %d, want %d", tc.what, o.code, tc.code)
		}
		contains(t, o.err, tc.says...)
		if strings.Contains(o.err, "Config.") || strings.Contains(o.err, "client: ") || strings.Contains(o.err, "tokenstore") {
			t.Errorf("%s: that is for programmers: %s", tc.what, o.err)
		}
	}
	s.Set(func(o *clienttest.Options) { o.UserDenies = true })
	if o := h.run(login(s.Issuer(), clienttest.PublicClient)...); o.code != 7 {
		t.Errorf("the user refuses: exit code %d: %s", o.code, o.err)
	}
	if names, _ := os.ReadDir(h.path(".config")); len(names) > 0 {
		t.Error("a login that failed has left a profile")
	}
}

// No profile is kept of a login that fails: "regrant login --device" alone would be asked
// at which server.
func TestWhoDoesAsAFailedFirstLoginSaysIsLoggedIn(t *testing.T) {
	s := clienttest.NewServer(t)
	user := func(there bool) { // who enters codes, and agrees
		s.Set(func(o *clienttest.Options) {
			o.UserDenies, o.DeviceInterval = !there, time.Second
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				if code, ok := answer["user_code"].(string); ok && x.Path == clienttest.DevicePath && there {
					go func() { _ = s.ApproveDevice(code, "alice") }()
				}
			}
		})
	}
	for what, c := range map[string]struct {
		variable string
		args     []string
		code     int
	}{
		"no keychain":      {"", []string{"--as", "it's me"}, 6},
		"no browser":       {"BROWSER=", []string{"--store", "file"}, 1},
		"nobody in time":   {"", []string{"--store", "sqlite", "--path", "my grants.db", "--device", "--timeout=1s"}, 7},
		"the user refuses": {"", []string{"--store", "file", "--scope", "things"}, 7},
	} {
		h := newHome(t).with(c.variable, "REGRANT_PROFILE=mine")
		user(false)
		o := h.run(append([]string{"login", s.Issuer(), "--client-id", clienttest.PublicClient}, c.args...)...)
		if o.code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s", what, o.code, c.code, o.err)
		}
		user(true)
		if done := h.obey(o.err); done.code != 0 {
			t.Errorf("%s: it does not help to do as it says:\n%s%s", what, o.err, done.err)
			continue
		}
		if all := h.must("status", "--json").out; !strings.Contains(all, `"fresh"`) {
			t.Errorf("%s: after that nobody is logged in: %s", what, all)
		}
	}
}

func TestTheOtherHintsOfAFailedFirstLoginCanBeRun(t *testing.T) {
	s := clienttest.NewServer(t)
	h := newHome(t)
	secret := h.run("login", s.Issuer(), "--client-id", clienttest.ConfidentialClient, "--store", "file")
	if o := h.obey(secret.err); o.code != 2 || !strings.Contains(o.err, "--client-secret-file") {
		t.Errorf("it asks for no secret: %d, %s%s", o.code, secret.err, o.err)
	}
	h.write("secret", clienttest.ConfidentialSecret)
	h.must("login", s.Issuer(), "--client-id", clienttest.ConfidentialClient, "--store", "file", "--client-secret-file", "secret")

	other := h.run("login", s.Issuer()+"/", "--client-id", clienttest.PublicClient, "--store", "file", "--profile", "other")
	if o := h.obey(other.err); !strings.Contains(o.out, "the server calls itself") {
		t.Errorf("doctor is not asked: %s%s", other.err, o.out)
	}

	grant := s.Grant("alice")
	s.Revoke("alice")
	h.write("dead.json", encode(t, map[string]string{"refresh_token": grant.RefreshToken}))
	dead := h.run("import", "dead.json", "--issuer", s.Issuer(), "--client-id", clienttest.PublicClient, "--profile", "imported", "--store", "file", "--param", "audience=x")
	if o := h.obey(dead.err); dead.code != 3 || o.code != 0 || !strings.Contains(asked(s), "audience=x") {
		t.Errorf("after an import of no use: %s%s", dead.err, o.err)
	}
	h.must("token", "--profile", "imported")

	doctor := newHome(t).with("BROWSER=").run("doctor", s.Issuer(), "--deep", "--yes", "--client-id", clienttest.PublicClient, "--timeout", "30s")
	contains(t, doctor.err, "regrant doctor "+s.Issuer()+" --deep --yes --client-id test-client --timeout 30s --device")
}
