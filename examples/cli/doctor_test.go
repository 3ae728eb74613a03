package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

type finding struct{ Check, State, Text, Advice string }

// examine runs doctor, and returns what it has found in each check.
func (h *home) examine(args ...string) (map[string][]finding, outcome) {
	h.t.Helper()
	o := h.run(append([]string{"doctor", "--json"}, args...)...)
	all := map[string][]finding{}
	if o.out != "" {
		for _, f := range parse[[]finding](h.t, o.out) {
			all[f.Check] = append(all[f.Check], f)
		}
	}
	return all, o
}

func state(all map[string][]finding, check string) string {
	var states []string
	for _, f := range all[check] {
		states = append(states, f.State)
	}
	return strings.Join(states, " ")
}

func TestDoctorFindsNothingWrongWithAServerThatDoesEverythingRight(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	all, o := h.examine(s.Issuer())
	if o.code != 0 {
		t.Errorf("exit code %d, %s", o.code, o.out)
	}
	for _, check := range []string{"discovery", "clock", "keys", "pkce", "refresh", "revocation", "device", "redirect", "store"} {
		if state(all, check) != "ok" {
			t.Errorf("%s: %+v", check, all[check])
		}
	}
	if state(all, "keychain") != "warning" || !strings.Contains(all["keychain"][0].Advice, "--store file") {
		t.Errorf("there is no keychain: %+v", all["keychain"])
	}
}

func TestDoctorSaysWhatIsWrongWithAServer(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	for name, c := range map[string]struct {
		metadata map[string]any // nil: taken away
		fault    clienttest.Fault
		check    string
		state    string
		says     string
		code     int
	}{
		"another name":       {map[string]any{"issuer": "https://other.example\x1b[31m"}, clienttest.Fault{}, "discovery", "problem", "https://other.example", 5},
		"PKCE is not said":   {map[string]any{"code_challenge_methods_supported": nil}, clienttest.Fault{}, "pkce", "warning", "does not say", 0},
		"plain PKCE":         {map[string]any{"code_challenge_methods_supported": []string{"plain"}}, clienttest.Fault{}, "pkce", "problem", "S256", 5},
		"no refresh tokens":  {map[string]any{"grant_types_supported": []string{"authorization_code"}}, clienttest.Fault{}, "refresh", "problem", "refresh tokens", 5},
		"no revocation":      {map[string]any{"revocation_endpoint": nil}, clienttest.Fault{}, "revocation", "warning", "no way to revoke", 0},
		"no devices":         {map[string]any{"device_authorization_endpoint": nil}, clienttest.Fault{}, "device", "note", "--code", 0},
		"no token endpoint":  {map[string]any{"token_endpoint": nil}, clienttest.Fault{}, "endpoints", "problem", "no token endpoint", 5},
		"an http endpoint":   {map[string]any{"token_endpoint": "http://login.example.com/token"}, clienttest.Fault{}, "endpoints", "problem", "https", 5},
		"no keys":            {map[string]any{"jwks_uri": s.Issuer() + "/nowhere"}, clienttest.Fault{}, "keys", "problem", "cannot be fetched", 5},
		"a clock that lags":  {nil, clienttest.Fault{Header: http.Header{"Date": {time.Now().Add(-10 * time.Minute).UTC().Format(http.TimeFormat)}}}, "clock", "problem", "ahead of the server", 5},
		"a clock that jumps": {nil, clienttest.Fault{Header: http.Header{"Date": {time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat)}}}, "clock", "warning", "behind the server", 0},
		"no discovery":       {nil, clienttest.Fault{Status: 404, Body: "<html>"}, "discovery", "problem", "404", 5},
	} {
		s.Set(func(o *clienttest.Options) {
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				for member, value := range c.metadata {
					if x.Path != clienttest.DiscoveryPath {
						continue
					}
					if answer[member] = value; value == nil {
						delete(answer, member)
					}
				}
			}
		})
		if c.metadata == nil {
			s.FailNext(clienttest.DiscoveryPath, c.fault, 1)
		}
		all, o := h.examine(s.Issuer())
		i := slices.IndexFunc(all[c.check], func(f finding) bool {
			return f.State == c.state && strings.Contains(f.Text+f.Advice, c.says) && (f.Advice != "" || f.State == "note")
		})
		if i < 0 || o.code != c.code || strings.Contains(o.out, `\u001b`) {
			t.Errorf("%s: exit code %d, %+v", name, o.code, all[c.check])
		}
	}
}

func TestDoctorSaysWhyAServerIsOutOfReach(t *testing.T) {
	h := newHome(t)
	stranger := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for issuer, says := range map[string]string{
		stranger.URL:              "SSL_CERT_FILE",
		gone.URL:                  "is it running",
		"https://nowhere.invalid": "spelled right",
	} {
		all, o := h.examine(issuer)
		if o.code != 5 || state(all, "discovery") != "problem" || !strings.Contains(all["discovery"][0].Advice, says) {
			t.Errorf("%s: exit code %d, %+v", issuer, o.code, all["discovery"])
		}
	}
}

func TestDoctorFindsOutHowGrantsAreRenewedAndLeavesTheUsersAlone(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	for name, c := range map[string]struct {
		set                     func(*clienttest.Options)
		rotation, reuse, family string
	}{
		"strict":      {func(*clienttest.Options) {}, "replaces", "works once", "ends the whole login"},
		"with grace":  {func(o *clienttest.Options) { o.Grace = time.Minute }, "replaces", "can be repeated", "goes on"},
		"lenient":     {func(o *clienttest.Options) { o.Rotation = clienttest.RefuseReuse }, "replaces", "works once", "goes on"},
		"no rotation": {func(o *clienttest.Options) { o.Rotation = clienttest.NoRotation }, "stays the same", "", ""},
		"no refresh":  {func(o *clienttest.Options) { o.NoOfflineAccess = true }, "", "", ""},
	} {
		s.Set(func(o *clienttest.Options) {
			o.Grace, o.Rotation, o.NoOfflineAccess = 0, clienttest.RevokeFamily, false
			c.set(o)
		})
		all, o := h.examine("--deep", "--yes")
		for check, says := range map[string]string{"rotation": c.rotation, "reuse": c.reuse, "family": c.family} {
			if says == "" && all[check] == nil {
				continue
			}
			if len(all[check]) != 1 || !strings.Contains(all[check][0].Text, says) {
				t.Errorf("%s: %s: %+v", name, check, all[check])
			}
		}
		if c.rotation != "" && (o.code != 0 || state(all, "logout") != "ok" && name != "strict") {
			t.Errorf("%s: exit code %d, %+v", name, o.code, all["logout"])
		}
		if c.rotation == "" && (o.code != 5 || !strings.Contains(o.out, "refresh token")) {
			t.Errorf("%s: exit code %d: %s", name, o.code, o.out)
		}
		for _, x := range s.Exchanges() {
			if x.RefreshToken != "" && strings.Contains(o.out+o.err, x.RefreshToken) {
				t.Errorf("%s: a refresh token is shown", name)
			}
		}
	}
	s.Set(func(o *clienttest.Options) { o.NoOfflineAccess = false })
	h.must("token", "--refresh") // the user's own grant
	if o := h.run("accounts", "--json"); strings.Contains(o.out, "doctor") {
		t.Errorf("the login of the examination is kept: %s", o.out)
	}
}

func TestDoctorAsksBeforeItLogsIn(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	_, o := h.examine(s.Issuer(), "--deep", "--client-id", clienttest.PublicClient)
	if o.code != 2 || !strings.Contains(o.err, "--yes") || s.Requests(clienttest.TokenPath) != 0 {
		t.Errorf("exit code %d, %s", o.code, o.err)
	}
}

func TestWhatDoctorAdvisesForARefreshTokenKeepsTheOtherScopes(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s, "--scope", "things")
	profile := ".config/regrant/profiles/default.toml"
	text, err := os.ReadFile(h.path(profile))
	if err != nil {
		t.Fatal(err)
	}
	h.write(profile, strings.Replace(string(text), `["things"]`, `["openid", "things"]`, 1))
	all, _ := h.examine("--deep", "--yes")
	for _, check := range []string{"refresh", "login"} {
		if len(all[check]) != 1 || all[check][0].State == "ok" {
			t.Fatalf("%s: %+v", check, all)
		}
		found := all[check][0]
		if done := h.obey(found.Advice); done.code != 0 || !strings.HasPrefix(asked(s), "openid things offline_access ") {
			t.Errorf("%s: %+v leads to a login that asks for %q: %s", check, found, asked(s), done.err)
		}
	}
	h.must("token", "--refresh")
}
