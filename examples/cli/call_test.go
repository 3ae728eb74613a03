package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

// serveAPI puts an API behind the tokens of s, and logs in.
func serveAPI(t *testing.T, api http.HandlerFunc) (*clienttest.Server, *home) {
	t.Helper()
	s, h := clienttest.NewServer(t), newHome(t)
	s.Set(func(o *clienttest.Options) { o.API = api })
	h.login(s)
	return s, h
}

func TestCallSendsWhatTheCommandLineSays(t *testing.T) {
	got := make(chan [4]string, 1)
	s, h := serveAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- [4]string{r.Method, r.Header.Get("Content-Type"), r.Header.Get("X-Extra"), string(body)}
	})
	api := s.URL(clienttest.APIPath)
	h.write("body.json", ` {"from": "a file"}`)
	h.write("headers", "X-Extra: from a file\n\n")
	for _, tc := range []struct {
		name, in string
		args     []string
		want     [4]string
	}{
		{"nothing but a URL", "", nil, [4]string{"GET", "", "", ""}},
		{"a form", "", []string{"-d", "a=1", "-d", "b=2"}, [4]string{"POST", "application/x-www-form-urlencoded", "", "a=1&b=2"}},
		{"JSON", "", []string{"-d", `{"a":1}`}, [4]string{"POST", "application/json", "", `{"a":1}`}},
		{"a file", "", []string{"-X", "put", "-d", "@body.json"}, [4]string{"PUT", "application/json", "", ` {"from": "a file"}`}},
		{"the standard input", "streamed", []string{"-d", "@-", "-H", "Content-Type: text/plain"}, [4]string{"POST", "text/plain", "", "streamed"}},
		{"headers from a file", "", []string{"-H", "@headers"}, [4]string{"GET", "", "from a file", ""}},
	} {
		o := h.feed(tc.in, append([]string{"call", api}, tc.args...)...)
		if o.code != 0 {
			t.Fatalf("%s: exit code %d, %s", tc.name, o.code, o.err)
		}
		if sent := <-got; sent != tc.want {
			t.Errorf("%s: sent %q, want %q", tc.name, sent, tc.want)
		}
	}
}

func TestCallGivesProgramsTheBytesAsTheyAre(t *testing.T) {
	answer := append(bytes.Repeat([]byte{0, 0x1b, ']', 0xff, '\n'}, 30000), "end"...)
	s, h := serveAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) })
	if o := h.must("call", s.URL(clienttest.APIPath)); o.out != string(answer) || o.err != "" {
		t.Errorf("%d bytes, want %d; says %q", len(o.out), len(answer), o.err)
	}
	h.must("call", s.URL(clienttest.APIPath), "-o", "answer")
	if data, err := os.ReadFile(h.path("answer")); err != nil || !bytes.Equal(data, answer) {
		t.Errorf("the file has %d bytes, want %d (%v)", len(data), len(answer), err)
	}
}

func TestCallStreamsAnAnswerThatHasNoEnd(t *testing.T) {
	next := make(chan struct{})
	s, h := serveAPI(t, nil)
	api := httptest.NewServer(s.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			_, _ = io.WriteString(w, "event\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	})))
	defer api.Close()
	cmd := h.command("call", api.URL)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	event := make([]byte, len("event\n"))
	for range 3 {
		if _, err := io.ReadFull(out, event); err != nil || string(event) != "event\n" {
			t.Fatalf("%q, %v", event, err)
		}
		next <- struct{}{} // the server goes on only when the first was seen
	}
	_ = cmd.Process.Signal(os.Interrupt)
	_, _ = io.Copy(io.Discard, out)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("after ^C the exit code is %d", cmd.ProcessState.ExitCode())
	}
}

func TestCallEndsWithACodeForEveryKindOfTrouble(t *testing.T) {
	s, h := serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/scope" {
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="write admin"`)
			w.WriteHeader(http.StatusForbidden)
		}
		if r.URL.Path == "/api/missing" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "nothing here")
		}
		if r.URL.Path == "/api/slow" {
			<-r.Context().Done()
		}
	})
	api := s.URL(clienttest.APIPath)
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{api + "/missing"}, 0, ""},
		{[]string{api + "/missing", "--fail"}, 22, "404 Not Found"},
		{[]string{api + "/scope"}, 0, "--scope write --scope admin"},
		{[]string{api + "/slow", "-m", "200ms"}, 4, "deadline"},
		{[]string{"http://127.0.0.1:1/"}, 4, "refused"},
		{[]string{"http://api.example.com/"}, 1, "https"},
		{[]string{api, "-H", "Authorization: Bearer x"}, 2, "Authorization"},
		{[]string{api, "-H", "nonsense"}, 2, "NAME: VALUE"},
		{[]string{}, 2, "call needs the URL"},
		{[]string{api, "-d", "@no-such-file"}, 2, "no-such-file"},
	} {
		o := h.run(append([]string{"call"}, tc.args...)...)
		if o.code != tc.code || !strings.Contains(o.err, tc.says) {
			t.Errorf("call %q: exit code %d, want %d; says %q, want %q", tc.args, o.code, tc.code, o.err, tc.says)
		}
	}
	if o := h.run("call", api+"/missing", "--fail"); o.out != "nothing here" {
		t.Errorf("with --fail the body is %q", o.out)
	}
}

// asked is what the last login in a browser has asked for: the scopes, and these parameters.
func asked(s *clienttest.Server) string {
	last := ""
	for _, x := range s.Exchanges() {
		if x.Path == clienttest.AuthorizePath && x.Query.Get("scope") != "" {
			last = fmt.Sprintf("%s acr_values=%s audience=%s max_age=%s access_type=%s", x.Query.Get("scope"),
				x.Query.Get("acr_values"), x.Query.Get("audience"), x.Query.Get("max_age"), x.Query.Get("access_type"))
		}
	}
	return last
}

// A login replaces the scopes of a profile: a hint that names the missing one alone would
// take offline_access from every login that follows.
func TestWhoFollowsTheHintOfARefusalLosesNothing(t *testing.T) {
	s, h := serveAPI(t, nil)
	h.must("login", "--param", "audience=things") // whose list of scopes is the default
	for _, c := range []struct{ challenge, adds string }{
		{`Bearer error="insufficient_scope", scope="write admin"`, "openid offline_access write admin"},
		{`Bearer error="insufficient_scope", scope="$(touch>pwned);touch>pwned"`, "openid offline_access write admin $(touch>pwned);touch>pwned"},
		{`Bearer error="insufficient_scope", scope="admin read,list"`, "openid offline_access write admin $(touch>pwned);touch>pwned read,list"},
		{`Bearer error="insufficient_user_authentication", acr_values="gold;touch>pwned", max_age="60"`, "acr_values=gold;touch>pwned audience=things max_age=60"},
		{`Bearer error="insufficient_user_authentication", max_age="30"`, "acr_values=gold;touch>pwned audience=things max_age=30"},
	} {
		s.Set(func(o *clienttest.Options) {
			o.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", c.challenge)
				w.WriteHeader(http.StatusForbidden)
			})
		})
		o := h.run("call", s.URL(clienttest.APIPath))
		if done := h.obey(o.err); done.code != 0 {
			t.Fatalf("%s: it does not work to do as it says: %s%s", c.challenge, o.err, done.err)
		}
		if got := asked(s); !strings.Contains(got, c.adds) {
			t.Errorf("%s: the login asks for %q, want %q", c.challenge, got, c.adds)
		}
	}
	if _, err := os.Stat(h.path("pwned")); err == nil {
		t.Error("what the API said was run by the shell")
	}
	if p, err := os.ReadFile(h.path(".config", "regrant", "profiles", "default.toml")); err != nil || !strings.Contains(string(p), "offline_access") {
		t.Errorf("the profile is %s, %v", p, err)
	}
	h.must("token", "--refresh")
}

func TestCallRenewsATokenThatTheAPIRefuses(t *testing.T) {
	s, h := serveAPI(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	s.RevokeAccess("alice")
	if o := h.must("call", s.URL(clienttest.APIPath), "-d", "sent again"); o.out != "sent again" {
		t.Errorf("the answer is %q", o.out)
	}
	if n := s.RefreshCount(); n != 1 {
		t.Errorf("%d renewals, want 1", n)
	}
}

func TestTheTokenGoesToTheHostOfTheURLAlone(t *testing.T) {
	leaked := make(chan string, 1)
	other := clienttest.NewServer(t) // another origin, which records what it gets
	s, h := serveAPI(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL("/elsewhere"), http.StatusFound)
	})
	h.run("call", s.URL(clienttest.APIPath))
	for _, x := range other.Exchanges() {
		if a := x.Header.Get("Authorization"); a != "" {
			leaked <- a
		}
	}
	if len(leaked) > 0 || len(other.Exchanges()) != 1 {
		t.Errorf("the other host has seen %d requests, and a token: %v", len(other.Exchanges()), len(leaked) > 0)
	}
}

func TestAServerInTroubleIsToldFromAGrantThatHasEnded(t *testing.T) {
	s, h := serveAPI(t, nil)
	s.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable}, -1)
	if o := h.run("token", "--refresh"); o.code != 4 || strings.Contains(o.err, "login") {
		t.Errorf("503: exit code %d, want 4: %s", o.code, o.err)
	}
	s.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
	h.must("token", "--refresh")
	s.Revoke("alice")
	o := h.run("call", s.URL(clienttest.APIPath))
	if o.code != 3 {
		t.Errorf("a revoked grant: exit code %d, want 3", o.code)
	}
	contains(t, o.err, "next: regrant login")
}
