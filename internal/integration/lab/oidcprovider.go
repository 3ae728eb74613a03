package lab

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

// An OIDCProvider is a running oidc-provider (github.com/panva/node-oidc-provider):
// it rotates refresh tokens, and ends a grant if one is used twice. There is no
// grace period.
type OIDCProvider struct {
	Issuer string
	server *server
	t      testing.TB
}

// Clients of the OIDCProvider. The public one has no secret.
const (
	PublicClient = "pub"
	BasicClient  = "basic" // client_secret_basic
	BasicSecret  = "basic-secret"
)

// StartOIDCProvider starts one of the test's own. Its service is "oidc-provider".
// knobs are environment variables of its start script, such as AT_TTL=2 for
// access tokens of two seconds.
func StartOIDCProvider(t testing.TB, knobs ...string) *OIDCProvider {
	t.Helper()
	s := start(t, "oidc-provider", 2, []string{"bash", "node", "npm", "curl"}, append([]string{"NO_MTLS=1"}, knobs...))
	return &OIDCProvider{Issuer: s.vars["ISSUER"], server: s, t: t}
}

// Kill kills the server, and returns what starts it again. It forgets everything.
func (p *OIDCProvider) Kill() (again func()) { return p.server.kill(p.t) }

// URL returns the URL of a path, such as /token, /token/revocation or /me.
func (p *OIDCProvider) URL(path string) string { return p.Issuer + path }

// A Fault is what goes wrong with the next N requests to Path.
type Fault struct {
	Path    string `json:"path"`
	Mode    string `json:"mode"` // drop-before, drop-after, status, delay
	N       int    `json:"n"`
	Status  int    `json:"status,omitempty"`
	DelayMs int    `json:"delayMs,omitempty"`
}

// Fail plans a fault.
func (p *OIDCProvider) Fail(f Fault) {
	p.t.Helper()
	p.lab("fault", f, nil)
}

// A Request is one that has come to the token endpoint or to another one that
// programs talk to.
type Request struct {
	Path   string `json:"path"`
	Body   string `json:"body"`
	Status int    `json:"status"`
	Answer string `json:"resp"`
}

// Form returns the parameters of the request.
func (r *Request) Form() url.Values {
	form, _ := url.ParseQuery(r.Body) // nil if it is none
	return form
}

// Requests returns what has come since the last call.
func (p *OIDCProvider) Requests() []Request {
	p.t.Helper()
	var all []Request
	p.lab("requests", nil, &all)
	return all
}

// lab talks to the part of the server that is for tests only.
func (p *OIDCProvider) lab(what string, in, out any) {
	p.t.Helper()
	method, body := http.MethodGet, new(bytes.Buffer)
	if in != nil {
		method = http.MethodPost
		if err := json.NewEncoder(body).Encode(in); err != nil {
			p.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.URL("/__lab/"+what), body)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("/__lab/%s answers %s", what, resp.Status)
	}
	if out != nil {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			p.t.Fatal(err)
		}
	}
}
