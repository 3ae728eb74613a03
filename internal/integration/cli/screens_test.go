//go:build unix

package cli_test

import (
	"flag"
	"regexp"
	"testing"

	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/internal/terminal"
)

var _ = flag.Bool("update", false, "write the golden screens anew")

func TestTheScreensAtOIDCProvider(t *testing.T) {
	t.Parallel()
	p := lab.StartOIDCProvider(t, "AT_TTL=360000") // a slow machine shows the same days
	s := story{server: "oidc-provider"}
	s.tell(t, "login", p.Issuer, "--client-id", lab.PublicClient)
}

// TestTheScreensAtDex: dex has no way to revoke a grant, and one grant for each user and
// client, so the examination ends the user's own.
func TestTheScreensAtDex(t *testing.T) {
	t.Parallel()
	d := lab.StartDex(t, "AT_TTL=360000")
	s := story{server: "dex", user: []string{"--user", "alice@lab.test"}, logout: 1}
	s.tell(t, "login", d.Issuer, "--client-id", lab.PublicClient, "--redirect-url", "http://localhost/cb")
}

var (
	userCode = regexp.MustCompile(`[A-Z]{4}-[A-Z]{4}`)
	page     = regexp.MustCompile(`http://\S+`)
)

// A story is the life of a user at a server, as it is seen on a terminal.
type story struct {
	server string
	user   []string // how the scripted user is told who it is
	logout int      // the exit code of a logout
}

func (s story) tell(t *testing.T, login ...string) {
	m := newMachine(t, append(lab.UserCommand(t), s.user...)...).unlocked()
	show := func(name string, code int, x *terminal.Terminal) {
		t.Helper()
		if got := x.Wait(); got != code {
			t.Errorf("%s: exit code %d, want %d", name, got, code)
		}
		x.Golden(s.server+"-"+name, m.dir, "~")
	}
	show("login", 0, m.open(login...))

	x := m.open(append(login, "--as", "tv", "--device")...)
	x.See("waiting for you")
	x.Golden(s.server + "-device")
	code := userCode.FindString(x.Text())
	if _, err := lab.User(t, page.FindString(x.Text()), append(s.user, "--fill", "user_code="+code)...); err != nil {
		t.Error(err)
	}
	x.See("Logged in")
	show("device-done", 0, x)

	m.must("token", "--refresh", "--as", "tv")
	show("status", 0, m.open("status"))

	x = m.open("doctor", "--deep")
	x.See("[y/N]")
	x.Press("y" + terminal.Enter)
	show("doctor", 0, x)

	show("logout", s.logout, m.open("logout", "--all"))
	show("status-nobody", 0, m.open("status"))
}
