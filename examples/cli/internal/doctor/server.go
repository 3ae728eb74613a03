package doctor

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/regrant/regrant/examples/cli/internal/login"
	"github.com/regrant/regrant/examples/cli/internal/profile"
)

// metadata is what is looked at of it (RFC 8414 section 2, OpenID Connect Discovery 1.0
// section 3).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Device        string   `json:"device_authorization_endpoint"`
	Revocation    string   `json:"revocation_endpoint"`
	EndSession    string   `json:"end_session_endpoint"`
	Keys          string   `json:"jwks_uri"`
	Scopes        []string `json:"scopes_supported"`
	Grants        []string `json:"grant_types_supported"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	Methods       []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself   bool     `json:"authorization_response_iss_parameter_supported"`
}

// discover finds the metadata.
func (e *Exam) discover(ctx context.Context) {
	const check = "discovery"
	issuer, err := url.Parse(e.Profile.Issuer)
	if err != nil || issuer.Host == "" {
		e.found(check, Problem, "the issuer is no URL", "it looks like https://login.example.com")
		return
	}
	var said []string
	for _, address := range places(issuer) {
		data, problem, advice := e.get(ctx, address)
		if advice != "" { // the server is out of reach: elsewhere it is, too
			e.found(check, Problem, problem, advice)
			return
		}
		m := &metadata{}
		if problem == "" && json.Unmarshal(data, m) != nil {
			problem = "no JSON"
		}
		if problem != "" {
			said = append(said, address+": "+problem)
			continue
		}
		if m.Issuer != e.Profile.Issuer && !strings.Contains(m.Issuer, "{tenantid}") {
			e.found(check, Problem, fmt.Sprintf("the server calls itself %q, not %q", m.Issuer, e.Profile.Issuer),
				"use the name as the server spells it, to the last slash: tokens are bound to it")
			return
		}
		e.meta = m
		e.found(check, Good, "the server describes itself at "+address, "")
		return
	}
	if p := e.provider; p != nil && !p.Discovery {
		e.found(check, Note, p.Title+" does not describe itself; its endpoints are known here", "")
		return
	}
	if e.Profile.Endpoint.Token != "" {
		e.found(check, Note, "the server does not describe itself; the profile has its endpoints", "")
		return
	}
	e.found(check, Problem, "the server does not describe itself ("+strings.Join(said, "; ")+")",
		"is this the issuer, and not the address of a login page? A server without discovery needs --authorization-endpoint and --token-endpoint")
}

// places are where metadata may be: that of OpenID Connect, then that of RFC 8414 section
// 3.1.
func places(issuer *url.URL) []string {
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	root := issuer.Scheme + "://" + issuer.Host
	return []string{
		root + path + "/.well-known/openid-configuration",
		root + "/.well-known/oauth-authorization-server" + path,
	}
}

// get fetches a document. The advice is for what concerns the whole server.
func (e *Exam) get(ctx context.Context, address string) (data []byte, problem, advice string) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "no address", ""
	}
	r.Header.Set("Accept", "application/json")
	asked := time.Now()
	resp, err := e.HTTP.RoundTrip(r)
	if err != nil {
		problem, advice = unreachable(err)
		return nil, problem, advice
	}
	defer func() { _ = resp.Body.Close() }()
	e.clock(resp.Header, asked, time.Now())
	if resp.StatusCode != http.StatusOK {
		return nil, resp.Status, ""
	}
	if data, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil {
		return nil, "the answer was cut off", ""
	}
	return data, "", ""
}

// unreachable says why a server cannot be reached, and what helps.
func unreachable(err error) (problem, advice string) {
	var (
		dns  *net.DNSError
		ca   x509.UnknownAuthorityError
		name x509.HostnameError
		cert x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &dns):
		return "there is no host " + dns.Name, "is it spelled right? Does it need a VPN?"
	case errors.As(err, &ca):
		return "nobody here knows who has signed the server's certificate", "if your organisation has a certificate authority of its own, or a proxy that looks into TLS: set SSL_CERT_FILE to its certificate. In a container: install ca-certificates"
	case errors.As(err, &name):
		return "the server's certificate is for another host", "is the issuer spelled right?"
	case errors.As(err, &cert):
		return "the server's certificate is not valid: " + cert.Error(), "is the clock of this machine right?"
	case errors.Is(err, context.DeadlineExceeded):
		return "the server does not answer", "does it need a VPN, or a proxy (HTTPS_PROXY)?"
	}
	return "the server is out of reach: " + err.Error(), "is it running? Does it need a VPN, or a proxy (HTTPS_PROXY)?"
}

// clock compares the clocks, by the first answer that says what time it is.
func (e *Exam) clock(h http.Header, asked, answered time.Time) {
	theirs, err := http.ParseTime(h.Get("Date"))
	if e.clockSeen || err != nil || h.Get("Age") != "" { // a cache repeats an old time
		return
	}
	e.clockSeen = true
	// The header has whole seconds, and was written some time between.
	var skew time.Duration
	switch {
	case theirs.Add(time.Second).Before(asked):
		skew = asked.Sub(theirs.Add(time.Second))
	case theirs.After(answered):
		skew = answered.Sub(theirs)
	}
	e.skew(skew, "the server")
}

func (e *Exam) skew(skew time.Duration, than string) {
	const check, advice = "clock", "let the network set the clock: timedatectl set-ntp true, or the settings of the system"
	text := fmt.Sprintf("this machine is %v ahead of %s", skew.Round(time.Second), than)
	if skew < 0 {
		text = fmt.Sprintf("this machine is %v behind %s", -skew.Round(time.Second), than)
	}
	switch abs := skew.Abs(); {
	case abs > time.Minute:
		e.found(check, Problem, text+": new ID tokens look old or not yet valid", advice)
	case abs > 5*time.Second:
		e.found(check, Warning, text, advice)
	default:
		e.found(check, Good, "the clocks agree", "")
	}
}

// endpoints looks at the addresses, and fetches the keys.
func (e *Exam) endpoints(ctx context.Context) {
	m := e.meta
	for _, x := range []struct{ name, address string }{
		{"authorization", m.Authorization}, {"token", m.Token}, {"device authorization", m.Device}, {"revocation", m.Revocation}, {"keys", m.Keys},
	} {
		u, err := url.Parse(x.address)
		if x.address != "" && (err != nil || u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname()))) {
			e.found("endpoints", Problem, "the "+x.name+" endpoint is not at an https address", "the server has to be set up with its public https address, also behind a proxy")
		}
	}
	switch {
	case m.Token == "":
		e.found("endpoints", Problem, "there is no token endpoint", "this server cannot be used by a program like this one")
	case m.Authorization == "" && m.Device == "":
		e.found("endpoints", Problem, "there is neither an authorization endpoint nor one for devices", "nobody can log in there")
	}
	if m.Keys == "" {
		return
	}
	data, problem, _ := e.get(ctx, m.Keys)
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	switch {
	case problem != "":
		e.found("keys", Problem, "the keys of the server cannot be fetched: "+problem, "no login can be verified without them")
	case json.Unmarshal(data, &set) != nil || len(set.Keys) == 0:
		e.found("keys", Problem, "the server has published no keys", "no login can be verified without them")
	default:
		e.found("keys", Good, fmt.Sprintf("%d published, to verify logins with", len(set.Keys)), "")
	}
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// features looks at what the server can do.
func (e *Exam) features() {
	m := e.meta
	switch {
	case slices.Contains(m.Challenges, "S256"):
		e.found("pkce", Good, "a stolen authorization code is of no use (S256)", "")
	case m.Challenges == nil:
		e.found("pkce", Warning, "the server does not say that it knows PKCE; it is used all the same", "if logins fail, the server is too strict with what it does not know; else ask for it to be switched on (RFC 9700 section 2.1.1)")
	default:
		e.found("pkce", Problem, "the server offers PKCE, but not with S256", "it has to learn S256 (RFC 9700 section 2.1.1)")
	}
	e.refresh()
	if m.Methods != nil && !slices.Contains(m.Methods, "none") && e.Profile.ClientSecret == (profile.SecretRef{}) {
		e.found("client", Note, "the server does not say that it takes programs without a client secret", "if a login ends with invalid_client: "+e.Login+" --client-secret")
	}
	if m.Revocation != "" {
		e.found("revocation", Good, "a logout ends the grant at the server, too", "")
	} else {
		e.found("revocation", Warning, "there is no way to revoke a grant: a logout deletes it here, and the server goes on until it expires", "end sessions in the account settings of the server")
	}
	if m.Device != "" {
		e.found("device", Good, "logins without a browser on this machine work: --device", "")
	} else {
		e.found("device", Note, "there are no logins by a code on another device; over SSH use --code", "")
	}
	if m.NamesItself {
		e.found("mix-up", Good, "the server names itself in its answers (RFC 9207)", "")
	}
}

// offline is the scope by which many servers give refresh tokens (OpenID Connect Core
// 1.0 section 11).
const offline = "offline_access"

// refresh looks at whether there will be refresh tokens.
func (e *Exam) refresh() {
	m := e.meta
	asked := e.Profile.Scopes
	switch {
	case m.Grants != nil && !slices.Contains(m.Grants, "refresh_token"):
		e.found("refresh", Problem, "the server does not offer refresh tokens", "each login lasts as long as one access token. They can often be switched on, for the server or for this client")
	case slices.Contains(asked, "openid") && !slices.Contains(asked, offline) && slices.Contains(m.Scopes, offline):
		e.found("refresh", Warning, "the scopes of the profile leave out offline_access, by which the server gives refresh tokens", e.Login+" "+login.Line(login.Scopes(e.Profile, nil, offline)...))
	case slices.Contains(m.Scopes, offline):
		e.found("refresh", Good, "refresh tokens are given for the scope offline_access", "")
	default:
		e.found("refresh", Note, "refresh tokens are offered; the server does not say by which scope or setting", "regrant doctor --deep tries it")
	}
}
