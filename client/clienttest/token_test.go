package clienttest_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// with returns a copy of form in which the pairs of names and values are set, or
// removed if the value is "".
func with(form url.Values, pairs ...string) url.Values {
	changed := maps.Clone(form)
	for i := 0; i < len(pairs); i += 2 {
		changed.Del(pairs[i])
		if pairs[i+1] != "" {
			changed.Set(pairs[i], pairs[i+1])
		}
	}
	return changed
}

func TestWhatAClientMustNotSendIsRefused(t *testing.T) {
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
	}
	good := basic(clienttest.ConfidentialClient, clienttest.ConfidentialSecret)
	for _, row := range []struct {
		name          string
		method        string // "": POST
		query         string
		kind          string // "": a form
		authorization string
		form          url.Values // without refresh_token, which is added
		clientID      string     // whose grant it is; "": the public client
		status        int
		code          string // "": accepted
	}{
		{name: "public", form: url.Values{"client_id": {"test-client"}}, status: 200},
		{name: "basic", authorization: good, clientID: "test-confidential", status: 200},
		{name: "basic and the same client_id", authorization: good, form: url.Values{"client_id": {"test-confidential"}}, clientID: "test-confidential", status: 200},
		{name: "tenant in the query", query: "?tenant=1", form: url.Values{"client_id": {"test-client"}}, status: 200},
		{name: "empty scope counts as absent", form: url.Values{"client_id": {"test-client"}, "scope": {""}}, status: 200},

		{name: "GET", method: "GET", form: url.Values{"client_id": {"test-client"}}, status: 405, code: "invalid_request"},
		{name: "JSON", kind: "application/json", status: 415, code: "invalid_request"},
		{name: "no client_id", status: 401, code: "invalid_client"},
		{name: "unknown client", form: url.Values{"client_id": {"nobody"}}, status: 401, code: "invalid_client"},
		{name: "confidential without secret", form: url.Values{"client_id": {"test-confidential"}}, clientID: "test-confidential", status: 401, code: "invalid_client"},
		{name: "wrong secret", authorization: basic("test-confidential", "x"), clientID: "test-confidential", status: 401, code: "invalid_client"},
		{name: "secret in the body of a client registered for basic", form: url.Values{"client_id": {"test-confidential"}, "client_secret": {"test-secret"}}, clientID: "test-confidential", status: 401, code: "invalid_client"},
		{name: "public client with a secret", form: url.Values{"client_id": {"test-client"}, "client_secret": {"x"}}, status: 401, code: "invalid_client"},
		{name: "two methods at once", authorization: good, form: url.Values{"client_secret": {"test-secret"}}, clientID: "test-confidential", status: 400, code: "invalid_request"},
		{name: "two client ids", authorization: good, form: url.Values{"client_id": {"test-client"}}, clientID: "test-confidential", status: 400, code: "invalid_request"},
		{name: "another scheme", authorization: "Bearer x", form: url.Values{"client_id": {"test-client"}}, status: 401, code: "invalid_client"},
		{name: "token of another client", form: url.Values{"client_id": {"test-client"}}, clientID: "test-confidential", status: 400, code: "invalid_grant"},
		{name: "repeated parameter", form: url.Values{"client_id": {"test-client"}, "scope": {"openid", "openid"}}, status: 400, code: "invalid_request"},
		{name: "refresh token in the URL", query: "?refresh_token=x", form: url.Values{"client_id": {"test-client"}}, status: 400, code: "invalid_request"},
		{name: "secret in the URL", query: "?client_secret=x", form: url.Values{"client_id": {"test-client"}}, status: 400, code: "invalid_request"},
		{name: "no grant type", form: url.Values{"client_id": {"test-client"}, "grant_type": {""}}, status: 400, code: "invalid_request"},
		{name: "unknown grant type", form: url.Values{"client_id": {"test-client"}, "grant_type": {"magic"}}, status: 400, code: "unsupported_grant_type"},
		{name: "no refresh token", form: url.Values{"client_id": {"test-client"}, "refresh_token": {""}}, status: 400, code: "invalid_request"},
		{name: "unknown refresh token", form: url.Values{"client_id": {"test-client"}, "refresh_token": {"x"}}, status: 400, code: "invalid_grant"},
		{name: "space after the refresh token", form: url.Values{"client_id": {"test-client"}, "refresh_token": {"x "}}, status: 400, code: "invalid_grant"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, s *clienttest.Server) {
				grant := s.Grant("alice")
				if row.clientID != "" {
					grant = s.GrantTo(row.clientID, "alice")
				}
				form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {grant.RefreshToken}}
				maps.Copy(form, row.form)
				method := row.method
				if method == "" {
					method = http.MethodPost
				}
				req, err := http.NewRequestWithContext(t.Context(), method, s.URL(clienttest.TokenPath)+row.query, formBody(form))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				if row.kind != "" {
					req.Header.Set("Content-Type", row.kind)
				}
				if row.authorization != "" {
					req.Header.Set("Authorization", row.authorization)
				}
				r, err := do(t, s.HTTPClient(), req)
				if err != nil {
					t.Fatal(err)
				}
				wantError(t, r, row.status, row.code)
				if r.Header.Get("Cache-Control") != "no-store" {
					t.Error("the answer can be cached (RFC 6749 section 5.1)")
				}
				if row.status == 401 && row.authorization == good && r.Header.Get("WWW-Authenticate") == "" {
					t.Error("401 without WWW-Authenticate")
				}
				x := s.Exchanges()[0]
				if x.Error != row.code || (x.Outcome == clienttest.Accepted) != (row.status == 200) {
					t.Errorf("recorded %v with error %q", x.Outcome, x.Error)
				}
				if row.code != "" && !s.FamilyAlive("alice") {
					t.Error("a refused request has cost the grant")
				}
			})
		})
	}
}

func TestBasicCredentialsAreFormEncodedBeforeBase64(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		const id, secret = "a:b", "p%+ é&="
		s.Set(func(o *clienttest.Options) { o.Clients = []clienttest.Client{{ID: id, Secret: secret}} })
		rt := s.Grant("alice").RefreshToken
		for _, encoded := range []bool{false, true} {
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {rt}}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(clienttest.TokenPath), formBody(form))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
			status := http.StatusUnauthorized
			req.SetBasicAuth(id, secret)
			if encoded {
				status = http.StatusOK
				req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
			}
			r, err := do(t, s.HTTPClient(), req)
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != status {
				t.Errorf("encoded %t: answer %d %s, want %d", encoded, r.Status, r.Body, status)
			}
		}
	})
}

func TestAClientRegisteredForTheBodyAuthenticatesThere(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) {
			o.Clients = []clienttest.Client{{ID: "web", Secret: "s", AuthMethod: "client_secret_post"}}
		})
		form := url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {s.Grant("alice").RefreshToken}, "client_id": {"web"}, "client_secret": {"s"},
		}
		if r := post(t, s, clienttest.TokenPath, form); r.Status != http.StatusOK {
			t.Errorf("answer %d %s", r.Status, r.Body)
		}
		methods := get(t, s, clienttest.DiscoveryPath, "").JSON["token_endpoint_auth_methods_supported"]
		if list, _ := methods.([]any); len(list) != 1 || list[0] != "client_secret_post" {
			t.Errorf("the metadata offers %v", methods)
		}
	})
}

func TestThePasswordGrant(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) {
			o.Users = []clienttest.User{{Account: "carol", Password: "s3cret"}, {Account: "dave"}}
		})
		form := url.Values{"grant_type": {"password"}, "client_id": {"test-client"}, "scope": {"openid offline_access"}}
		r := post(t, s, clienttest.TokenPath, with(form, "username", "carol", "password", "s3cret"))
		if r.text("refresh_token") == "" || r.text("id_token") == "" || s.LiveRefreshToken("carol") != r.text("refresh_token") {
			t.Errorf("answer %d %s", r.Status, r.Body)
		}
		if r := post(t, s, clienttest.TokenPath, with(form, "username", "dave", "password", "password")); r.Status != http.StatusOK {
			t.Errorf("the default password: %d %s", r.Status, r.Body)
		}
		for _, pair := range [][2]string{{"carol", "wrong"}, {"carol", ""}, {"nobody", "password"}} {
			wantError(t, post(t, s, clienttest.TokenPath, with(form, "username", pair[0], "password", pair[1])), 400, "invalid_grant")
		}
	})
}

func TestWhoGetsARefreshToken(t *testing.T) {
	for _, row := range []struct {
		scope     string
		noOffline bool
		want      bool
	}{
		{scope: "openid offline_access", want: true},
		{scope: "openid profile", want: false},
		{scope: "read write", want: true},
		{scope: "", want: true},
		{scope: "openid offline_access", noOffline: true, want: false},
		{scope: "read", noOffline: true, want: false},
	} {
		t.Run(row.scope, func(t *testing.T) {
			inMemory(t, func(t *testing.T, s *clienttest.Server) {
				s.Set(func(o *clienttest.Options) { o.NoOfflineAccess = row.noOffline })
				r := post(t, s, clienttest.TokenPath, url.Values{
					"grant_type": {"password"}, "client_id": {"test-client"}, "scope": {row.scope}, "username": {"alice"}, "password": {"password"},
				})
				if r.Status != 200 || (r.text("refresh_token") != "") != row.want {
					t.Errorf("%q, NoOfflineAccess %t: answer %d %s", row.scope, row.noOffline, r.Status, r.Body)
				}
				if row.noOffline && strings.Contains(r.text("scope"), "offline_access") {
					t.Error("offline_access is said to be granted")
				}
			})
		})
	}
}

func TestTamperMakesAnyAnswer(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) {
			o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
				if x.GrantType == "refresh_token" {
					delete(answer, "refresh_token")
					delete(answer, "id_token")
					answer["expires_in"] = "3600"
				}
			}
		})
		rt := s.Grant("alice").RefreshToken
		r := refresh(t, s, rt)
		if r.text("refresh_token") != "" || r.text("id_token") != "" || r.text("expires_in") != "3600" || r.text("access_token") == "" {
			t.Errorf("answer %s", r.Body)
		}
		if x := s.Exchanges()[0]; x.Issued == "" || x.Issued != s.LiveRefreshToken("alice") {
			t.Error("the record does not tell what was issued")
		}
		s.Set(func(o *clienttest.Options) {
			o.Tamper = func(_ clienttest.Exchange, answer map[string]any) { answer["x"] = func() {} }
		})
		if r := refresh(t, s, s.LiveRefreshToken("alice")); r.Status != 500 || !strings.Contains(r.Body, "Options.Tamper") {
			t.Errorf("a value that is no JSON: answer %d %s", r.Status, r.Body)
		}
	})
}

func TestTokensHaveTheLifetimeThatWasSet(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) { o.AccessTokenLifetime = 10 * time.Second })
		grant := s.Grant("alice")
		if grant.ExpiresIn != 10 || !grant.Expiry.Equal(time.Now().Add(10*time.Second)) {
			t.Errorf("ExpiresIn %d, Expiry %v", grant.ExpiresIn, grant.Expiry)
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		if r := get(t, s, clienttest.APIPath, grant.AccessToken); r.Status != 200 {
			t.Errorf("just before the end: %d", r.Status)
		}
		time.Sleep(time.Nanosecond)
		if r := get(t, s, clienttest.APIPath, grant.AccessToken); r.Status != 401 {
			t.Errorf("at the end: %d", r.Status)
		}
	})
}
