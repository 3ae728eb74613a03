//go:build unix

package cli_test

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/integration/lab"
)

func TestEverythingWorksAtOIDCProviderWithTheKeychain(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, "AT_TTL=600")
	m := newMachine(t, lab.UserCommand(t)...).unlocked()
	login := []string{"login", p.Issuer, "--client-id", lab.PublicClient}

	m.must(login...)
	first := m.must("token").out
	if second := m.must("token", "--refresh").out; second == first {
		t.Error("token --refresh brings the same token")
	}
	if o := m.must("call", "--fail", p.URL("/me")); !strings.Contains(o.out, `"sub"`) {
		t.Errorf("the API answers %s", o.out)
	}
	if o := m.must("exec", "--", "sh", "-c", `printf %s "$REGRANT_TOKEN"`); o.out != strings.TrimSpace(m.must("token").out) {
		t.Error("exec has another token")
	}
	if o := m.must("status"); !strings.Contains(o.out, "fresh") || !strings.Contains(o.out, "keyring") {
		t.Errorf("the status is %s", o.out)
	}

	loginByDevice(t, m, append(login, "--as", "device", "--device"))
	loginByCode(t, m, append(login, "--as", "code", "--code"))
	for _, name := range []string{"device", "code"} {
		m.must("call", "--fail", p.URL("/me"), "--as", name)
	}

	if o := m.must("logout", "--all"); strings.Count(o.err, "the server has revoked the grant") != 3 {
		t.Errorf("logout says %s", o.err)
	}
	if o := m.run("token"); o.code != 3 {
		t.Errorf("after the logout: exit code %d", o.code)
	}
}

// loginByDevice logs in with a user who types the code on another machine.
func loginByDevice(t *testing.T, m *machine, args []string) {
	t.Helper()
	converse(t, m, args, func(said *bufio.Scanner, _ io.Writer) error {
		page := next(said)
		code := next(said)
		_, err := lab.User(t, page, "--fill", "user_code="+code)
		return err
	})
}

// loginByCode logs in with a user who carries the URL over.
func loginByCode(t *testing.T, m *machine, args []string) {
	t.Helper()
	converse(t, m, args, func(said *bufio.Scanner, answer io.Writer) error {
		callback, err := lab.User(t, next(said), "--no-callback")
		if err == nil {
			_, err = io.WriteString(answer, callback+"\n")
		}
		return err
	})
}

// next returns the next thing that the program wants to be looked at: it is indented.
func next(said *bufio.Scanner) string {
	for said.Scan() {
		if text, ok := strings.CutPrefix(said.Text(), "  "); ok {
			return text
		}
	}
	return ""
}

// converse runs the program with somebody who reads what it says, and answers.
func converse(t *testing.T, m *machine, args []string, user func(said *bufio.Scanner, answer io.Writer) error) {
	t.Helper()
	cmd := m.command(args...)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	if err := user(lines, answer); err != nil {
		t.Error(err)
	}
	var rest strings.Builder
	for lines.Scan() {
		rest.WriteString(lines.Text() + "\n")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("regrant %v: %v\n%s", args, err, &rest)
	}
}
