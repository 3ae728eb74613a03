//go:build linux

package loopback_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// inNamespace runs the test again in a network of its own, made by a shell
// command, and tells whether this is that run.
func inNamespace(t *testing.T, setup string) bool {
	t.Helper()
	const inside = "REGRANT_TEST_NETNS"
	if os.Getenv(inside) == t.Name() {
		return true
	}
	missing := t.Skip
	if os.Getenv("REGRANT_TEST_REQUIRE") == "all" {
		missing = t.Fatal
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	namespace := func(script string, args ...string) *exec.Cmd {
		args = append([]string{"--user", "--map-root-user", "--net", "sh", "-ec", script}, args...)
		return exec.CommandContext(t.Context(), "unshare", args...)
	}
	if out, err := namespace("ip link set lo up\n" + setup).CombinedOutput(); err != nil {
		missing("needs unshare and ip (util-linux, iproute2) and user namespaces: ", err, " ", string(out))
	}
	cmd := namespace("ip link set lo up\n"+setup+"\nexec \"$0\" \"$@\"", self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

func TestWithoutIPv4TheRedirectComesOverIPv6(t *testing.T) {
	if !inNamespace(t, "ip address del 127.0.0.1/8 dev lo") {
		return
	}
	for _, registered := range []string{"", "http://localhost/cb"} {
		l := begin(t, registered)
		if registered == "" && !strings.HasPrefix(l.RedirectURI(), "http://[::1]:") {
			t.Errorf("the redirect URI is %s", l.RedirectURI())
		}
		// To browsers localhost is ::1 whatever /etc/hosts says.
		l.http.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("::1", port))
		}
		l.goesOn(t)
	}
}

func TestWithoutIPv6TheRedirectComesOverIPv4(t *testing.T) {
	if !inNamespace(t, "ip address del ::1/128 dev lo") {
		return
	}
	for _, registered := range []string{"", "http://localhost/cb"} {
		begin(t, registered).goesOn(t)
	}
}

func TestLocalhostGetsAPortThatIsFreeOnBothIPVersions(t *testing.T) {
	if !inNamespace(t, `echo "40000 40009" >/proc/sys/net/ipv4/ip_local_port_range`) {
		return
	}
	for port := 40000; port < 40003; port++ {
		taken, err := net.Listen("tcp", net.JoinHostPort("::1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
	}
	for range 20 { // the first choice is a bad one in three of ten cases
		l := begin(t, "http://localhost/cb")
		if u, err := url.Parse(l.RedirectURI()); err != nil || u.Port() < "40003" {
			t.Errorf("the redirect URI is %s, %v", l.RedirectURI(), err)
		}
		l.Close(0)
	}
}
