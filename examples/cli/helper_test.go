package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// other returns another program, as the user of h runs it.
func (h *home) other(name string, args ...string) *exec.Cmd {
	h.t.Helper()
	path := needed(h.t, name)
	cmd := exec.CommandContext(h.t.Context(), path, args...)
	cmd.Env, cmd.Dir = h.env, h.dir
	detach(cmd)
	return cmd
}

// needed returns the path of a program. Without it the test is skipped, or fails where
// REGRANT_TEST_REQUIRE says that it must be there. An engine of docker is much to ask
// for its client alone: all does not mean that.
func needed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	list := os.Getenv("REGRANT_TEST_REQUIRE")
	switch {
	case err == nil:
	case list == "all" && name != "docker", slices.Contains(strings.Split(list, ","), name):
		t.Fatalf("there is no %s, and REGRANT_TEST_REQUIRE is %q", name, list)
	default:
		t.Skipf("there is no %s: install %s", name, cmp.Or(map[string]string{"kubectl": "kubernetes-client", "docker": "docker-cli, or docker.io"}[name], name))
	}
	return path
}

// runOther runs another program, which has to work.
func (h *home) runOther(name string, args ...string) string {
	h.t.Helper()
	out, err := h.other(name, args...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// demands lets in who knows a token of the server as the password of oauth2, as git
// servers and registries do.
func demands(s *clienttest.Server, next http.Handler) http.Handler {
	valid := s.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		probe := httptest.NewRequest(http.MethodGet, "/", nil)
		probe.Header.Set("Authorization", "Bearer "+password)
		answer := httptest.NewRecorder()
		valid.ServeHTTP(answer, probe)
		if user != "oauth2" || answer.Code != http.StatusOK {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestGitClonesAndPushesWithTheToken(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	needed(t, "git")
	backend := needed(t, filepath.Join(strings.TrimSpace(h.runOther("git", "--exec-path")), "git-http-backend"))
	h.runOther("git", "init", "-q", "--bare", "-b", "main", h.path("srv", "thing.git"))
	server := httptest.NewServer(demands(s, &cgi.Handler{
		Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + h.path("srv"), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=alice"},
	}))
	t.Cleanup(server.Close)
	h.write(".gitconfig", fmt.Sprintf("[user]\n\tname = x\n\temail = x@example.com\n[credential %q]\n\thelper = \"!regrant helper git --host %s\"\n", server.URL, host(t, server.URL)))
	h = h.with("GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1")

	h.runOther("git", "clone", "-q", server.URL+"/thing.git", "work")
	h.runOther("git", "-C", "work", "commit", "-q", "--allow-empty", "-m", "one")
	h.runOther("git", "-C", "work", "push", "-q", "origin", "HEAD:main")

	before := s.RefreshCount()
	s.RevokeAccess("alice")
	if out, err := h.other("git", "-C", "work", "fetch").CombinedOutput(); err == nil {
		t.Errorf("git got in with a token that was revoked: %s", out)
	}
	if n := s.RefreshCount() - before; n != 1 {
		t.Errorf("git has erased a refused password, and it was renewed %d times", n)
	}
	h.runOther("git", "-C", "work", "fetch", "-q")
}

func TestTheGitHelperGivesTheTokenToNamedHostsAlone(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	token := strings.TrimSpace(h.must("token").out)
	helper := []string{"helper", "git", "--host", "git.example.com"}
	get := append(helper, "get") //nolint:gocritic // for reading alone

	o := h.feed("protocol=https\nhost=git.example.com\nusername=bob\nfuture=thing\n\n", get...)
	contains(t, o.out, "username=bob\npassword="+token+"\n", "password_expiry_utc=")
	for _, in := range []string{"protocol=https\nhost=evil.example\n\n", "protocol=https\nhost=git.example.com.evil.example\n\n", "\n"} {
		if o := h.feed(in, get...); o.out != "" || o.code != 0 {
			t.Errorf("for %q: %d, %s%s", in, o.code, o.out, o.err)
		}
	}
	if o := h.feed("protocol=http\nhost=git.example.com\n\n", get...); strings.Contains(o.out, "password") || o.code == 0 || o.out != "quit=1\n" {
		t.Errorf("in the clear: %d, %s", o.code, o.out)
	}
	if o := h.feed("protocol=https\nhost=git.example.com\npassword=typed\n\n", append(helper, "store")...); o.code != 0 || o.out != "" {
		t.Errorf("store: %d, %s%s", o.code, o.out, o.err)
	}
	if n := s.RefreshCount(); n != 0 {
		t.Errorf("%d renewals for nothing", n)
	}
	if o := h.feed("", "helper", "git", "get"); o.code != 2 {
		t.Errorf("without hosts: %d", o.code)
	}
	h.must("logout")
	o = h.feed("protocol=https\nhost=git.example.com\n\n", get...)
	if o.code != 3 || o.out != "quit=1\n" {
		t.Errorf("logged out: %d, %q", o.code, o.out)
	}
	contains(t, o.err, "regrant login")
}

// registry has one image, thing:latest, without layers.
func registry(w http.ResponseWriter, r *http.Request) {
	const config = `{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`
	const kind = "application/vnd.docker.distribution.manifest.v2+json"
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(config)))
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	switch r.URL.Path {
	case "/v2/":
	case "/v2/thing/tags/list":
		fmt.Fprint(w, `{"name":"thing","tags":["latest"]}`)
	case "/v2/thing/manifests/latest":
		w.Header().Set("Content-Type", kind)
		fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":%q},"layers":[]}`, kind, len(config), digest)
	case "/v2/thing/blobs/" + digest:
		fmt.Fprint(w, config)
	default:
		http.NotFound(w, r)
	}
}

// images is a registry that wants a token of s, and the same user, whose programs ask the
// credential helper for it.
func (h *home) images(s *clienttest.Server) (registryHost string, user *home) {
	h.t.Helper()
	server := httptest.NewServer(demands(s, http.HandlerFunc(registry)))
	h.t.Cleanup(server.Close)
	name := host(h.t, server.URL)
	h.write("bin/docker-credential-regrant-test", "#!/bin/sh\nexec regrant helper docker --host "+name+" \"$@\"\n")
	err := errors.Join(os.Chmod(h.path("bin", "docker-credential-regrant-test"), 0o700), os.Mkdir(h.path(".docker"), 0o700))
	if err != nil {
		h.t.Fatal(err)
	}
	h.write(".docker/config.json", `{"credHelpers":{"`+name+`":"regrant-test"}}`)
	return name, h.with("XDG_RUNTIME_DIR="+h.dir, "DOCKER_HOST=unix://"+h.path("no-engine.sock"))
}

func TestSkopeoAsksARegistryWithTheTokenThatDockersHelperGives(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	name, h := h.images(s)
	inspect := []string{"inspect", "--tls-verify=false", "docker://" + name + "/thing:latest"}

	contains(t, h.runOther("skopeo", inspect...), `"Name": "`+name+`/thing"`, `"Architecture": "amd64"`)
	h.must("token", "--refresh")
	h.runOther("skopeo", inspect...)
	h.must("logout")
	out, err := h.other("skopeo", inspect...).CombinedOutput()
	if err == nil {
		t.Error("a registry that wants a token lets in who has none")
	}
	contains(t, string(out), "regrant login")
}

func TestDockerAsksARegistryWithTheToken(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	needed(t, "docker") // its client alone
	h.login(s)
	name, h := h.images(s)

	// What needs no engine: docker login and docker pull leave it to the engine.
	contains(t, h.runOther("docker", "manifest", "inspect", "--insecure", name+"/thing:latest"), `"schemaVersion": 2`, "sha256:")
}

func TestTheDockerHelperSpeaksTheProtocol(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	token := strings.TrimSpace(h.must("token").out)
	helper := func(in, action string) outcome {
		return h.feed(in, "helper", "docker", "--host", "registry.example.com", "--username", "me", action)
	}
	for _, server := range []string{"registry.example.com", "https://registry.example.com/v1/"} {
		got := parse[map[string]string](t, helper(server, "get").out)
		if got["ServerURL"] != server || got["Username"] != "me" || got["Secret"] != token {
			t.Errorf("for %s: %v", server, got)
		}
	}
	list := parse[map[string]string](t, helper("", "list").out)
	if len(list) != 1 || list["registry.example.com"] != "me" {
		t.Errorf("list: %v", list)
	}
	credentials, _ := json.Marshal(map[string]string{"ServerURL": "registry.example.com", "Username": "me", "Secret": token})
	if o := helper(string(credentials), "store"); o.code != 0 {
		t.Errorf("what it had given is refused: %s%s", o.out, o.err)
	}
	for name, c := range map[string]struct{ in, action, says string }{
		"another registry": {"evil.example", "get", "credentials not found in native keychain\n"},
		"in the clear":     {"http://registry.example.com", "get", "over https only"},
		"no server":        {"", "get", "no credentials server URL"},
		"a typed password": {`{"ServerURL":"registry.example.com","Username":"me","Secret":"typed"}`, "store", "regrant login"},
		"docker logout":    {"registry.example.com", "erase", "regrant logout"},
	} {
		o := helper(c.in, c.action)
		if o.code != 1 || !strings.Contains(o.out, c.says) {
			t.Errorf("%s: %d, %q", name, o.code, o.out)
		}
	}
	h.must("logout")
	if o := helper("registry.example.com", "get"); o.code != 1 || !strings.Contains(o.out, "regrant login") {
		t.Errorf("logged out: %d, %q", o.code, o.out)
	}
}

func TestKubectlAsksAClusterWithTheToken(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	var mu sync.Mutex
	var got []string
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"major":"1","minor":"30"}`)
	}))
	t.Cleanup(api.Close)
	h.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})))
	h.write("kubeconfig", `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "`+api.URL+`", certificate-authority: ca.pem}}]
contexts: [{name: access, context: {cluster: c, user: access}}, {name: id, context: {cluster: c, user: id}}]
current-context: access
users:
- {name: access, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: regrant, args: [helper, kubectl], interactiveMode: Never}}}
- {name: id, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: regrant, args: [helper, kubectl, --id-token], interactiveMode: Never}}}
`)
	h = h.with("KUBECONFIG=" + h.path("kubeconfig"))
	contains(t, h.runOther("kubectl", "get", "--raw", "/version"), `"major":"1"`)
	token := strings.TrimSpace(h.must("token").out)
	mu.Lock()
	for _, sent := range got { // once, or first by a wrapper that looks for the version
		if sent != token {
			t.Errorf("the cluster was sent %q", got)
		}
	}
	mu.Unlock()
	h.runOther("kubectl", "--context=id", "get", "--raw", "/version")
	mu.Lock()
	last := got[len(got)-1]
	mu.Unlock()
	if strings.Count(last, ".") != 2 {
		t.Errorf("the cluster was sent %q for an ID token", last)
	}
	h.must("logout")
	if out, err := h.other("kubectl", "get", "--raw", "/version").CombinedOutput(); err == nil || !strings.Contains(string(out), "regrant login") {
		t.Errorf("logged out: %v, %s", err, out)
	}
}

func TestTheKubectlHelperAnswersInTheVersionThatItIsAskedIn(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	type credential struct {
		APIVersion, Kind string
		Status           struct {
			Token               string
			ExpirationTimestamp time.Time
		}
	}
	for info, version := range map[string]string{
		"": "client.authentication.k8s.io/v1",
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}`: "client.authentication.k8s.io/v1",
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}`:                         "client.authentication.k8s.io/v1beta1",
	} {
		c := parse[credential](t, h.with("KUBERNETES_EXEC_INFO="+info).must("helper", "kubectl").out)
		if c.APIVersion != version || c.Kind != "ExecCredential" || c.Status.Token == "" || !c.Status.ExpirationTimestamp.After(time.Now()) {
			t.Errorf("for %q: %+v", info, c)
		}
	}
	o := h.with(`KUBERNETES_EXEC_INFO={"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v9"}`).run("helper", "kubectl")
	if o.code != 2 || o.out != "" {
		t.Errorf("in a version that nobody knows: %d, %s", o.code, o.out)
	}
}

func TestCurlGetsTheTokenByItsStandardInput(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	u := newUpstream(t, s, whereAmI)
	o := h.must("helper", "curl", u.URL+`/a?b=%22"c\d`)
	cmd := h.other("curl", "--silent", "--show-error", "--fail", "--config", "-")
	cmd.Stdin = strings.NewReader(o.out)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "/a?b=%22") {
		t.Errorf("%v, %s", err, out)
	}
	if o := h.run("helper", "curl", "http://api.example.com"); o.code != 2 || o.out != "" {
		t.Errorf("in the clear: %d, %s", o.code, o.out)
	}
}

func TestWhoFollowsTheHintForAnIDTokenKeepsTheOtherScopes(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s, "--scope", "things", "--as", "work")
	o := h.run("helper", "kubectl", "--id-token", "--as", "work")
	if o.code != 5 {
		t.Errorf("without an ID token: exit code %d", o.code)
	}
	if done := h.obey(o.err); done.code != 0 || !strings.HasPrefix(asked(s), "things openid offline_access ") {
		t.Errorf("%s leads to a login that asks for %q: %s", o.err, asked(s), done.err)
	}
	if o := h.run("helper", "kubectl", "--id-token", "--as", "work"); o.code != 0 {
		t.Errorf("after that: exit code %d: %s", o.code, o.err)
	}
}
