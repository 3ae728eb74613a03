package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

// An upstream is an API that lets in who has a token of the server, and remembers what
// it was sent.
type upstream struct {
	*httptest.Server

	mu   sync.Mutex
	seen []string
}

func newUpstream(t *testing.T, s *clienttest.Server, h http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dump, _ := httputil.DumpRequest(r, false)
		u.mu.Lock()
		u.seen = append(u.seen, string(dump))
		u.mu.Unlock()
		s.Protect(h).ServeHTTP(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

// requests returns what has come since the last call.
func (u *upstream) requests() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	seen := u.seen
	u.seen = nil
	return seen
}

func whereAmI(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.RequestURI()) }

// A lent is a proxy that runs.
type lent struct {
	URL, Address, Secret string

	home *home
}

// says is what the proxy has said so far.
func (p lent) says() string {
	text, _ := os.ReadFile(p.home.path("proxy.err"))
	return string(text)
}

func (h *home) proxy(args ...string) lent {
	h.t.Helper()
	cmd := h.command(append([]string{"proxy", "--json"}, args...)...)
	detach(cmd)
	says, err := os.Create(h.path("proxy.err"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer says.Close()
	cmd.Stderr = says
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		h.t.Fatal(err)
	}
	p := parse[lent](h.t, line)
	p.home = h
	return p
}

// ask sends a request that change has changed, and returns the answer with its body
// read. Redirects are not followed.
func ask(t *testing.T, address string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestTheProxyLendsTheTokenToWhoKnowsTheSecretAndKeepsTheSecret(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	u := newUpstream(t, s, whereAmI)
	p := h.proxy(u.URL + "/v2")
	for way, c := range map[string]struct {
		base   string
		change func(*http.Request)
	}{
		"bearer":   {p.Address, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+p.Secret) }},
		"password": {p.Address, func(r *http.Request) { r.SetBasicAuth("anybody", p.Secret) }},
		"path":     {p.URL, func(r *http.Request) { r.Header.Set("Referer", p.URL+"/before") }},
	} {
		resp, body := ask(t, c.base+"/a%2Fb/c?x=1;2&y=%zz", c.change)
		if resp.StatusCode != http.StatusOK || body != "/v2/a%2Fb/c?x=1;2&y=%zz" {
			t.Errorf("by %s: %s, the API was asked for %q", way, resp.Status, body)
		}
		for _, seen := range u.requests() {
			if strings.Contains(seen, p.Secret) {
				t.Errorf("by %s the API has learned the secret:\n%s", way, seen)
			}
		}
	}
	if token := strings.TrimSpace(h.must("token").out); strings.Contains(p.URL, token) {
		t.Error("the secret is the token")
	}
}

func TestTheProxyRefusesStrangersPagesAndOtherNames(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	u := newUpstream(t, s, whereAmI)
	p := h.proxy(u.URL + "/v2")
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		address string
		change  func(*http.Request)
		status  int
	}{
		"no secret":           {p.Address + "/", nil, 401},
		"a wrong bearer":      {p.Address + "/", header("Authorization", "Bearer "+strings.ToLower(p.Secret)), 401},
		"an empty bearer":     {p.Address + "/", header("Authorization", "Bearer "), 401},
		"a wrong password":    {p.Address + "/", func(r *http.Request) { r.SetBasicAuth(p.Secret, "") }, 401},
		"a part of it":        {p.Address + "/" + p.Secret[:20] + "/", nil, 401},
		"it as a query":       {p.Address + "/?" + p.Secret, nil, 401},
		"another name (DNS)":  {p.URL + "/", func(r *http.Request) { r.Host = "evil.example:80" }, 421},
		"a page":              {p.URL + "/", header("Origin", "https://evil.example"), 403},
		"a sandboxed page":    {p.URL + "/", header("Origin", "null"), 403},
		"an image in a page":  {p.URL + "/", header("Sec-Fetch-Site", "cross-site"), 403},
		"a page of the proxy": {p.URL + "/", header("Origin", p.Address), 403},
		"a way out of /v2":    {p.URL + "/x/%2e%2e/%2E%2E/admin", nil, 400},
		"another way out":     {p.URL + "/x/..%2f..%2fadmin", nil, 400},
	} {
		resp, body := ask(t, c.address, c.change)
		if resp.StatusCode != c.status || !strings.HasPrefix(body, "regrant: ") {
			t.Errorf("%s: %s, want %d: %s", name, resp.Status, c.status, body)
		}
	}
	if seen := u.requests(); len(seen) > 0 {
		t.Errorf("the API was asked all the same: %q", seen)
	}
}

func TestTheProxyServesAPageThatWasNamed(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	u := newUpstream(t, s, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*") // as if everybody might read it
	})
	const page = "https://app.example.com"
	p := h.proxy(u.URL, "--page", page)
	resp, _ := ask(t, p.Address+"/x", func(r *http.Request) {
		r.Method = http.MethodOptions
		r.Header = http.Header{"Origin": {page}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"authorization"}}
	})
	if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Headers") != "authorization" || len(u.requests()) > 0 {
		t.Errorf("preflight: %s, %v", resp.Status, resp.Header)
	}
	resp, _ = ask(t, p.URL+"/x", func(r *http.Request) { r.Header.Set("Origin", page) })
	if got := resp.Header.Values("Access-Control-Allow-Origin"); resp.StatusCode != http.StatusOK || len(got) != 1 || got[0] != page {
		t.Errorf("%s, allowed: %q", resp.Status, got)
	}
	resp, _ = ask(t, p.Address+"/x", func(r *http.Request) { r.Header.Set("Origin", page) })
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the secret the page gets %s", resp.Status)
	}
}

func TestRedirectsWithinTheAPIStayInTheProxy(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	u := newUpstream(t, s, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusFound)
	})
	p := h.proxy(u.URL + "/v2")
	for to, want := range map[string]string{
		u.URL + "/v2/next?a=b#c":    "/" + p.Secret + "/next?a=b#c",
		"/v2/next":                  "/" + p.Secret + "/next",
		"/v2":                       "/" + p.Secret + "/",
		"next":                      "next",
		"/v20/next":                 "/v20/next",
		"https://elsewhere.example": "https://elsewhere.example",
		"//elsewhere.example/v2/x":  "//elsewhere.example/v2/x",
	} {
		if resp, _ := ask(t, p.URL+"/x?to="+url.QueryEscape(to), nil); resp.Header.Get("Location") != want {
			t.Errorf("a redirect to %s becomes one to %s, want %s", to, resp.Header.Get("Location"), want)
		}
	}
}

func TestTheProxyStreamsAndPassesWebSockets(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	read := make(chan struct{})
	u := newUpstream(t, s, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			fmt.Fprintln(w, "one")
			_ = http.NewResponseController(w).Flush()
			<-read
			fmt.Fprintln(w, "two")
			return
		}
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(both, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_ = both.Flush()
		line, _ := both.ReadString('\n')
		fmt.Fprint(both, "echo "+line)
		_ = both.Flush()
	})
	p := h.proxy(u.URL)

	resp, err := http.Get(p.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	first, err := body.ReadString('\n')
	close(read) // the API goes on only now
	second, _ := body.ReadString('\n')
	if err != nil || first != "one\n" || second != "two\n" {
		t.Errorf("%q, then %q, %v", first, second, err)
	}

	conn, err := net.Dial("tcp", strings.TrimPrefix(p.Address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", conn.RemoteAddr(), p.Secret)
	answers := bufio.NewReader(conn)
	upgraded, err := http.ReadResponse(answers, nil)
	if err != nil || upgraded.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", upgraded, err)
	}
	fmt.Fprintln(conn, "hello")
	if line, err := answers.ReadString('\n'); line != "echo hello\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestTheProxyRenewsTheTokenAndSaysWhenItCannot(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	u := newUpstream(t, s, whereAmI)
	p := h.proxy(u.URL)
	s.RevokeAccess("alice")
	if resp, body := ask(t, p.URL+"/x", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("after the API had refused the token: %s: %s", resp.Status, body)
	}
	h.must("logout")
	if resp, _ := ask(t, p.URL+"/x", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the program does not get the answer of the API: %s", resp.Status)
	}
	contains(t, p.says(), "login required", `"hint":"regrant login"`) // the person does
	resp, body := ask(t, p.URL+"/x", nil)
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("after a logout: %s", resp.Status)
	}
	contains(t, body, "regrant: ", "next: regrant login")
}

func TestTheProxyOnASocketBelongsToTheUser(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	u := newUpstream(t, s, whereAmI)
	path := h.path("api.sock")
	p := h.proxy(u.URL, "--unix", path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || p.Secret != "" {
		t.Errorf("%v, %v, secret %q", info, err, p.Secret)
	}
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	resp, err := c.Get("http://api/x")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", resp, err)
	}
	c.CloseIdleConnections()
	o := h.run("proxy", u.URL, "--unix", path)
	if o.code != 2 {
		t.Errorf("a second proxy took the socket: %d", o.code)
	}
	contains(t, o.err, "is there already")
}

func TestTheProxyForwardsToNoUpstreamThatATokenMustNotGoTo(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	for upstream, says := range map[string]string{
		"http://api.example.com":        "over https only",
		"api.example.com":               "is no URL",
		"https://u:hunter2@example.com": "nothing else goes into it",
		"https://api.example.com/?k=v":  "nothing else goes into it",
	} {
		o := h.run("proxy", upstream)
		if o.code != 2 || o.out != "" || strings.Contains(o.err, "hunter2") {
			t.Errorf("%s: exit code %d: %s", upstream, o.code, o.err)
		}
		contains(t, o.err, says)
	}
	if o := h.run("proxy", s.Issuer(), "--listen", "0.0.0.0:0"); o.code != 2 || !strings.Contains(o.err, "this machine only") {
		t.Errorf("it would listen to all: %d, %s", o.code, o.err)
	}
}
