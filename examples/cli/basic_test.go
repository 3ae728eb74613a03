package main

import (
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestAPersonLogsInUsesATokenAndLogsOut(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	contains(t, h.login(s).err, "Logged in as alice", "account default, kept in file")

	token := strings.TrimSpace(h.must("token").out)
	if again := strings.TrimSpace(h.must("token").out); again != token || len(token) < 10 {
		t.Errorf("the token is %q, and then %q", token, again)
	}
	if renewed := strings.TrimSpace(h.must("token", "--refresh").out); renewed == token {
		t.Error("token --refresh has not renewed it")
	}

	contains(t, h.must("logout").err, "the server has revoked the grant")
	if s.FamilyAlive("alice") {
		t.Error("the refresh token lives after the logout")
	}
	if o := h.run("token"); o.code != 3 || o.out != "" {
		t.Errorf("after the logout, token ends with %d and prints %q", o.code, o.out)
	}
}

func TestWithoutAProfileEveryCommandSaysHowToBegin(t *testing.T) {
	h := newHome(t)
	for command, code := range map[string]int{"token": 3, "status": 0, "accounts": 0, "logout": 3, "logout --all": 0, "login": 2} {
		o := h.run(strings.Fields(command)...)
		if o.code != code || o.out != "" {
			t.Errorf("%s: exit code %d, want %d; prints %q", command, o.code, code, o.out)
		}
		contains(t, o.err, "regrant login https://ISSUER --client-id ID")
	}
}

func TestAMachineWithoutAKeychainIsToldOfTheOtherStores(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	o := h.run("login", s.Issuer(), "--client-id", clienttest.PublicClient)
	if o.code != 6 {
		t.Errorf("exit code %d, want 6", o.code)
	}
	contains(t, o.err, "there is no keychain", "--store file")
	if strings.Contains(o.err, "tokenstore") || strings.Contains(o.err, "NewPassphraseSealer") {
		t.Errorf("that is for programmers: %s", o.err)
	}
}

func TestTwoAccountsAreKeptApart(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	h.login(s, "--as", "work")
	if a, b := h.must("token").out, h.must("token", "--as", "work").out; a == b {
		t.Error("both accounts have the same token")
	}
	accounts := parse[[]struct{ Profile, Account string }](t, h.must("accounts", "--json").out)
	if len(accounts) != 2 || accounts[0].Account != "default" || accounts[1].Account != "work" {
		t.Errorf("accounts are %+v", accounts)
	}
	h.must("logout", "--as", "work")
	h.must("token")
	if o := h.run("token", "--as", "work"); o.code != 3 || !strings.Contains(o.err, "regrant login --as work") {
		t.Errorf("exit code %d, %s", o.code, o.err)
	}
}

func TestAnotherProfileForTheSameClientIsRefusedInFavourOfAnotherAccount(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	o := h.run("login", s.Issuer(), "--client-id", clienttest.PublicClient, "--store", "file", "--profile", "second")
	if o.code != 2 {
		t.Errorf("exit code %d, want 2", o.code)
	}
	contains(t, o.err, "regrant login --as NAME")
	o = h.run("login", "https://other.example.com", "--client-id", "x")
	if o.code != 2 {
		t.Errorf("exit code %d, want 2", o.code)
	}
	contains(t, o.err, `the profile "default" is that of `+s.Issuer(), "--profile NAME")
	h.login(s, "--profile", "third", "--path", h.path("elsewhere"))
}

func TestAClientSecretOnTheCommandLineIsRefusedAndNotRepeated(t *testing.T) {
	h := newHome(t)
	for _, flag := range []string{"--client-secret", "--password"} {
		o := h.run("login", "https://login.example.com", "--client-id", "x", flag+"=hunter2")
		if o.code != 2 || strings.Contains(o.err+o.out, "hunter2") {
			t.Errorf("exit code %d: %s%s", o.code, o.out, o.err)
		}
		contains(t, o.err, "takes no value")
	}
}

func TestAProviderThatIsNamedIsAskedInItsOwnWay(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	asksOffline := func() bool { return strings.HasSuffix(asked(s), "access_type=offline") }
	h.login(s, "--provider", "google")
	if !asksOffline() {
		t.Error("Google is asked as any other server")
	}
	if h.must("login", "--as", "later"); !asksOffline() {
		t.Error("the profile does not say which provider it is")
	}
	if h.must("login", "--provider", "none"); asksOffline() {
		t.Error("nobody is asked as Google is")
	}
	if o := h.run("login", "--provider", "nobody"); o.code != 5 || !strings.Contains(o.err, `--provider: there is no profile "nobody", but these: `) {
		t.Errorf("exit code %d: %s", o.code, o.err)
	}
	contains(t, h.must("__complete", "login", "--provider", "key").out, "keycloak\tKeycloak")
	o := h.run("login", "--provider", "github", "--client-id", "x", "--profile", "hub", "--store", "file", "--password")
	if o.code != 2 || !strings.Contains(o.err, "terminal") { // it knows the issuer
		t.Errorf("exit code %d: %s", o.code, o.err)
	}
}
