//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/terminal"
)

// populate makes accounts in every state.
func populate(t *testing.T) (*clienttest.Server, *home) {
	t.Helper()
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) {
		o.AccessTokenLifetime = 100 * time.Hour // a slow machine shows the same days
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.Path == clienttest.TokenPath && answer["refresh_token"] != nil {
				answer["refresh_token_expires_in"] = 30*24*3600 + 3600
			}
		}
	})
	h.login(s)
	h.login(s, "--as", "work")
	h.must("login", s.Issuer(), "--client-id", clienttest.PublicClient, "--profile", "archive", "--store", "sqlite", "--as", "old")
	s.Revoke("alice")
	h.run("token", "--as", "work", "--refresh") // finds out
	h.login(s)
	h.must("token", "--refresh")
	return s, h
}

func TestStatusShowsEveryAccount(t *testing.T) {
	_, h := populate(t)
	x := h.open(90, 24, "status")
	x.Wait()
	x.Golden("status")
	x = h.open(50, 40, "status")
	x.Wait()
	x.Golden("status-narrow")
	x = h.with("LANG=C").open(90, 24, "status")
	x.Wait()
	x.Golden("status-ascii")

	all := parse[[]struct {
		Profile, Account, State, Store string
		Generation                     uint64
	}](t, h.must("status", "--json").out)
	if len(all) != 3 || all[1].State != "fresh" || all[1].Generation != 1 || all[2].State != "login required" || all[0].Store != "sqlite" {
		t.Errorf("%+v", all)
	}
	if lines := strings.Split(h.must("status").out, "\n"); len(lines) != 5 || strings.Count(lines[1], "\t") != strings.Count(lines[0], "\t") {
		t.Errorf("on a pipe: %q", lines)
	}
}

func TestWithNoColorThereIsNone(t *testing.T) {
	_, h := populate(t)
	x := h.with("NO_COLOR=1").open(90, 24, "status")
	x.Wait()
	if strings.Contains(x.Written(), "\x1b[32m") || strings.Contains(x.Written(), "\x1b[31m") {
		t.Errorf("there are colours in %q", x.Written())
	}
	x = h.open(90, 24, "status")
	x.Wait()
	contains(t, x.Written(), "\x1b[32mfresh", "\x1b[31mlogin required")
}

func TestStatusWatchFollowsWhatHappensAndLeavesTheTerminalClean(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) { o.AccessTokenLifetime = 100 * time.Hour })
	h.login(s)
	x := h.open(90, 10, "status", "--watch")
	x.See("^C ends")
	x.Golden("status-watch")
	if !strings.Contains(x.Written(), "\x1b[?1049h") {
		t.Error("there is no screen of its own")
	}
	h.must("logout")
	x.See("Nobody is logged in")
	x.Golden("status-watch-nobody")
	h.login(s, "--as", "other")
	x.See("other")
	x.Golden("status-watch-other")
	x.Press(terminal.CtrlC)
	if code := x.Wait(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	if text := x.Text(); strings.Contains(text, "^C ends") || !strings.Contains(text, "other") {
		t.Errorf("what is left on the screen:\n%s", text)
	}
}

func TestResealChangesThePassphraseOfEverything(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	h.login(s, "--as", "work")
	if err := os.WriteFile(h.path("next"), []byte("another one"), 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, h.must("reseal", "--new-passphrase-file", "next").err, "Sealed 2 records", "The old one is still in")
	if o := h.run("token"); o.code != 6 {
		t.Errorf("with the old passphrase: exit code %d: %s", o.code, o.err)
	}
	h = h.with("REGRANT_PASSPHRASE_FILE=" + h.path("next"))
	h.must("token")
	h.must("token", "--as", "work")
	contains(t, h.with("REGRANT_PASSPHRASE_FILE="+h.path("passphrase")).must("reseal", "--new-passphrase-file", "next").err, "Sealed 0 records")
}

func TestAClientSecretIsKeptSealed(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	x := h.open(80, 24, "login", s.Issuer(), "--client-id", clienttest.ConfidentialClient, "--store", "file", "--client-secret")
	x.See("Client secret of test-confidential:")
	x.Press(clienttest.ConfidentialSecret + terminal.Enter)
	if code := x.Wait(); code != 0 || strings.Contains(x.Written(), clienttest.ConfidentialSecret) {
		t.Errorf("exit code %d:\n%s", code, x.Text())
	}
	h.must("token", "--refresh")
	if accounts := strings.TrimSpace(h.must("accounts", "--json").out); strings.Count(accounts, "account") != 1 {
		t.Errorf("the secret is an account: %s", accounts)
	}
	contains(t, h.must("reseal", "--new-passphrase-file", "passphrase").err, "Sealed 0 records")

	h.write("secret", clienttest.ConfidentialSecret+"\n")
	h.must("login", "--client-secret-file", h.path("secret"))
	h.must("token", "--refresh")
	if o := h.run("login", "--client-secret-env", "UNSET"); o.code != 5 || !strings.Contains(o.err, "UNSET") {
		t.Errorf("exit code %d: %s", o.code, o.err)
	}
	h.with("SECRET="+clienttest.ConfidentialSecret).must("login", "--client-secret-env", "SECRET")

	err := secretsIn(h.dir, clienttest.ConfidentialSecret, "secret")
	if err != nil {
		t.Error(err)
	}
}

// One account on another machine's keychain, or a slip of the pen in one file, must not
// hide all others.
func TestAProfileThatCannotBeUsedHidesNoOther(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	h.login(s, "--profile", "files", "--path", h.path("files"), "--as", "work")
	for name, text := range map[string]string{
		"broken":  "issuer = \"https://login.example.com\"\nclient-id = \"x\"\nstroe = \"file\"\n",
		"desktop": "issuer = \"https://login.example.com\"\nclient-id = \"x\"\nstore = \"keyring\"\n",
	} {
		h.write(".config/regrant/profiles/"+name+".toml", text)
	}
	type row struct{ Profile, Account, State, Error string }
	rows := func(o outcome) map[string]row {
		all := map[string]row{}
		for _, x := range parse[[]row](t, o.out) {
			all[x.Profile] = x
		}
		return all
	}
	o := h.run("status", "--json")
	all := rows(o)
	if o.code != 5 || len(all) != 4 || all["default"].State != "fresh" || all["files"].Account != "work" {
		t.Errorf("exit code %d: %+v", o.code, all)
	}
	if x := all["broken"]; x.State != "unavailable" || !strings.Contains(x.Error, "stroe") {
		t.Errorf("%+v", x)
	}
	if x := all["desktop"]; x.State != "unavailable" || !strings.Contains(x.Error, "no keychain") {
		t.Errorf("%+v", x)
	}
	if failed := parse[struct{ Code int }](t, o.err); failed.Code != 5 {
		t.Errorf("%s", o.err)
	}

	o = h.run("status")
	contains(t, o.out, "fresh", "work", "broken\t\tunavailable", "desktop\t\tunavailable")
	contains(t, o.err, "profile broken: ", `"stroe" is not known`, "profile desktop: there is no keychain")
	if err := os.Remove(h.path(".config/regrant/profiles/broken.toml")); err != nil {
		t.Fatal(err)
	}
	o = h.run("status")
	if o.code != 6 || !strings.Contains(o.err, "regrant login --profile desktop --store file") {
		t.Errorf("exit code %d: %s", o.code, o.err)
	}
	if o := h.run("status", "--profile", "files"); o.code != 0 {
		t.Errorf("exit code %d: %s", o.code, o.err)
	}

	h.write(".config/regrant/profiles/broken.toml", "=")
	o = h.run("accounts", "--json")
	if all := rows(o); o.code != 5 || len(all) != 3 || all["files"].Account != "work" || all["broken"].Error == "" {
		t.Errorf("exit code %d: %+v", o.code, all)
	}
	contains(t, h.run("accounts").out, "work", "(unavailable)")
	h.login(s, "--profile", "third", "--path", h.path("third")) // which looks at the others
	if o := h.run("logout", "--all"); o.code != 5 || strings.Count(o.err, "the server has revoked the grant") != 3 {
		t.Errorf("exit code %d: %s", o.code, o.err)
	}
}

func TestTheClientSecretThatIsKeptGoesWithTheLastAccount(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	enterSecret := func(args ...string) {
		t.Helper()
		x := h.open(80, 24, append([]string{"login"}, args...)...)
		x.See("Client secret of test-confidential:")
		x.Press(clienttest.ConfidentialSecret + terminal.Enter)
		if code := x.Wait(); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, x.Text())
		}
	}
	records := func() int {
		files, err := filepath.Glob(h.path(".local", "share", "regrant", "grants", "*.grant"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	enterSecret(s.Issuer(), "--client-id", clienttest.ConfidentialClient, "--store", "file", "--client-secret")
	h.must("login", "--as", "work")
	if o := h.must("logout"); strings.Contains(o.err, "client secret") || records() != 2 {
		t.Errorf("one account is left, and %d records: %s", records(), o.err)
	}
	if o := h.must("logout", "--as", "work"); !strings.Contains(o.err, "The client secret of test-confidential, which was kept here, is deleted, too.") || records() != 0 {
		t.Errorf("%d records are left: %s", records(), o.err)
	}
	contains(t, h.must("logout", "--all").err, "Nobody is logged in")

	if o := h.run("login"); o.code != 2 || !strings.Contains(o.err, "--client-secret-file") {
		t.Errorf("nobody can be asked for it: exit code %d, %s", o.code, o.err)
	}
	enterSecret()
	h.must("token", "--refresh")
	o := h.must("logout", "--all", "--json")
	gone := parse[[]struct {
		Account string
		Revoked bool
		Secret  bool `json:"client_secret_deleted"`
	}](t, o.out)
	if len(gone) != 1 || !gone[0].Revoked || !gone[0].Secret || records() != 0 {
		t.Errorf("%d records are left: %s", records(), o.out)
	}

	enterSecret()
	h.write("secret", clienttest.ConfidentialSecret)
	if h.must("login", "--client-secret-file", "secret"); records() != 1 {
		t.Errorf("the profile names a file now, and there are %d records", records())
	}
}
