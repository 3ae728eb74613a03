package loopback_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/regrant/regrant/internal/loopback"
)

func TestTheRedirectURIHasThePortThatIsListenedOn(t *testing.T) {
	for _, tc := range []struct{ registered, want string }{
		{"", "http://127.0.0.1:PORT/callback"},
		{"http://127.0.0.1", "http://127.0.0.1:PORT"},
		{"http://127.0.0.1/cb", "http://127.0.0.1:PORT/cb"},
		{"http://127.0.0.1:0/cb", "http://127.0.0.1:PORT/cb"},
		{"http://[::1]/cb", "http://[::1]:PORT/cb"},
		{"http://[::1]:0/cb", "http://[::1]:PORT/cb"},
		{"http://localhost/a/b", "http://localhost:PORT/a/b"},
		{"http://127.0.0.1/cb?x=1", "http://127.0.0.1:PORT/cb?x=1"},
	} {
		t.Run(tc.registered, func(t *testing.T) {
			l := begin(t, tc.registered)
			u, err := url.Parse(l.RedirectURI())
			if err != nil {
				t.Fatal(err)
			}
			if u.Port() == "" || u.Port() == "0" {
				t.Fatalf("the redirect URI is %s", l.RedirectURI())
			}
			if want := strings.Replace(tc.want, "PORT", u.Port(), 1); l.RedirectURI() != want {
				t.Errorf("the redirect URI is %s, want %s", l.RedirectURI(), want)
			}
			if strings.Contains(tc.registered, "?") {
				u.RawQuery += "&"
			}
			u.RawQuery += "code=the-code&state=" + state
			l.ends(t, l.ask(t, "GET", u.String(), nil))
		})
	}
}

func TestAFixedPortIsUsedAsItIs(t *testing.T) {
	uri := "http://localhost:" + freePort(t) + "/cb"
	if l := begin(t, uri); l.RedirectURI() != uri {
		t.Errorf("the redirect URI is %s, want %s", l.RedirectURI(), uri)
	}
}

func TestAFixedPortIsFreeForTheNextLoginAtOnce(t *testing.T) {
	uri := "http://127.0.0.1:" + freePort(t) + "/cb"
	for range 3 {
		l := begin(t, uri)
		l.ask(t, "GET", l.RedirectURI(), nil)
		l.goesOn(t)
	}
}

func TestPort80MayBeLeftOutOfTheHost(t *testing.T) {
	r, err := loopback.Listen(t.Context(), "http://127.0.0.1:80/cb")
	if err != nil {
		t.Skip("port 80 cannot be listened on: ", err)
	}
	r.Close(loopback.Failed)
	l := begin(t, "http://127.0.0.1:80/cb")
	if l.RedirectURI() != "http://127.0.0.1:80/cb" {
		t.Errorf("the redirect URI is %s", l.RedirectURI())
	}
	a := l.ask(t, "GET", l.callback(""), func(r *http.Request) { r.Host = "127.0.0.1" })
	l.ends(t, a)
}

func TestWhatIsNotALoopbackRedirectIsRefused(t *testing.T) {
	for uri, want := range map[string]string{
		"https://127.0.0.1/cb":            "is not an http URL",
		"com.example.app:/cb":             "is not an http URL",
		"urn:ietf:wg:oauth:2.0:oob":       "is not an http URL",
		"/cb":                             "is not an http URL",
		"http://example.com/cb":           "is not on the loopback interface",
		"http://localhost.evil.example/":  "is not on the loopback interface",
		"http://127.0.0.1.evil.example/":  "is not on the loopback interface",
		"http://0.0.0.0/cb":               "is not on the loopback interface",
		"http://[::]/cb":                  "is not on the loopback interface",
		"http://[::ffff:127.0.0.1]/cb":    "is not on the loopback interface",
		"http://[::1%25lo]/cb":            "is not on the loopback interface",
		"http://192.0.2.1/cb":             "is not on the loopback interface",
		"http:///cb":                      "is not on the loopback interface",
		"http:cb":                         "is not on the loopback interface",
		"http://user@127.0.0.1/cb":        "holds user information",
		"http://127.0.0.1/cb#":            "has a fragment",
		"http://127.0.0.1/cb#x":           "has a fragment",
		"http://127.0.0.1:65536/cb":       "has a port that does not exist",
		"http://127.0.0.1:port/cb":        "is not a URL",
		"http://127.0.0.1/%zz":            "is not a URL",
		"http://127.0.0.1/cb\r\nX: y":     "is not a URL",
		" http://127.0.0.1/leading-space": "is not a URL",
	} {
		t.Run(uri, func(t *testing.T) {
			r, err := loopback.Listen(t.Context(), uri)
			if err == nil {
				r.Close(loopback.Failed)
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Listen = %v, want an error with %q", err, want)
			}
		})
	}
}

func TestAPortThatSomebodyElseHasIsNotShared(t *testing.T) {
	for _, tc := range []struct{ name, theirs, ours string }{
		{"the same address", "127.0.0.1", "127.0.0.1"},
		{"all addresses", "0.0.0.0", "127.0.0.1"},
		{"all addresses of both IP versions", "::", "127.0.0.1"},
		{"IPv6", "::1", "[::1]"},
		{"localhost on IPv4", "127.0.0.1", "localhost"},
		{"localhost on IPv6", "::1", "localhost"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			port := freePort(t)
			squatter, err := net.Listen("tcp", net.JoinHostPort(tc.theirs, port))
			if err != nil {
				t.Fatal(err)
			}
			defer squatter.Close()
			r, err := loopback.Listen(t.Context(), "http://"+tc.ours+":"+port+"/cb")
			if err == nil {
				r.Close(loopback.Failed)
				t.Fatal("the port is shared")
			}
			if !strings.Contains(err.Error(), "is another login, or another program, using the port?") {
				t.Errorf("Listen = %v", err)
			}
			// Nothing of a failed attempt stays behind.
			squatter.Close()
			begin(t, "http://"+tc.ours+":"+port+"/cb")
		})
	}
}

func TestNobodyElseGetsThePortWhileWeWait(t *testing.T) {
	for _, ours := range []string{"127.0.0.1", "[::1]", "localhost"} {
		t.Run(ours, func(t *testing.T) {
			l := begin(t, "http://"+ours+"/cb")
			u, _ := url.Parse(l.RedirectURI())
			for _, host := range []string{"127.0.0.1", "0.0.0.0", "::1", "::"} {
				if ours == "127.0.0.1" && host == "::1" || ours == "[::1]" && strings.Contains(host, ".") {
					continue // another address, to which this redirect URI does not lead
				}
				for name, control := range intruders {
					config := net.ListenConfig{Control: control}
					if squatter, err := config.Listen(t.Context(), "tcp", net.JoinHostPort(host, u.Port())); err == nil {
						squatter.Close()
						t.Errorf("%s was bound by somebody else with %s", host, name)
					}
				}
			}
			l.goesOn(t)
		})
	}
}

func TestTheNetworkCannotReachTheReceiver(t *testing.T) {
	l := begin(t, "http://localhost/cb")
	u, _ := url.Parse(l.RedirectURI())
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, a := range addresses {
		ip, ok := a.(*net.IPNet)
		if !ok || ip.IP.IsLoopback() || ip.IP.IsLinkLocalUnicast() {
			continue
		}
		tried++
		if c, err := net.Dial("tcp", net.JoinHostPort(ip.IP.String(), u.Port())); err == nil {
			c.Close()
			t.Errorf("%s was reached", ip.IP)
		}
	}
	if tried == 0 {
		t.Skip("this machine has no address outside of the loopback interface")
	}
}

// freePort returns a port that nobody has on loopback. It is none of those that a
// system gives to connections and to listeners that do not choose: another program
// would soon get it.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(5000 + rand.IntN(5000))
		if !taken("127.0.0.1", port) && !taken("::1", port) {
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

func taken(host, port string) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err == nil {
		l.Close()
	}
	return errors.Is(err, syscall.EADDRINUSE)
}
