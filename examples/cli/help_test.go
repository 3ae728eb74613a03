package main

import (
	"os"
	"strings"
	"testing"

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
		{"no browser", h.with("BROWSER="), login(s.Issuer(), clienttest.PublicClient), 1, []string{"no browser can be opened here", "--device, or --code"}},
		{"nobody at the terminal", h, login(s.Issuer(), clienttest.PublicClient, "--password"), 2, []string{"there is no terminal to ask on", "run it on a terminal"}},
		{"no time", h, login(s.Issuer(), clienttest.PublicClient, "--device", "--timeout", "1s"), 7, []string{"in time", "regrant login --timeout 2s"}},
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
