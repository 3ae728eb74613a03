package clienttest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestProtectLetsOnlyLivingTokensPass(t *testing.T) {
	s := clienttest.NewServer(t)
	h := s.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, clienttest.AccountFrom(r.Context()))
	}))
	living, revoked, ended := s.Grant("alice"), s.Grant("bob"), s.Grant("carol")
	s.Revoke("bob")
	s.RevokeAccess("carol")
	for _, row := range []struct {
		name      string
		header    []string
		status    int
		body      string
		challenge string
	}{
		{"living", []string{"Bearer " + living.AccessToken}, 200, "alice", ""},
		{"scheme in lower case", []string{"bearer " + living.AccessToken}, 200, "alice", ""},
		{"none", nil, 401, "", `Bearer realm="clienttest"`},
		{"another scheme", []string{"Basic eA=="}, 401, "", `Bearer realm="clienttest"`},
		{"unknown", []string{"Bearer x"}, 401, "", `error="invalid_token"`},
		{"revoked", []string{"Bearer " + revoked.AccessToken}, 401, "", `error="invalid_token"`},
		{"ended", []string{"Bearer " + ended.AccessToken}, 401, "", `error="invalid_token"`},
		{"a refresh token", []string{"Bearer " + living.RefreshToken}, 401, "", `error="invalid_token"`},
		{"two headers", []string{"Bearer x", "Bearer " + living.AccessToken}, 400, "", `error="invalid_request"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header["Authorization"] = row.header
			h.ServeHTTP(w, r)
			challenge := w.Header().Get("WWW-Authenticate")
			if w.Code != row.status || !strings.Contains(challenge, row.challenge) || (row.status == 200) != (challenge == "") {
				t.Errorf("answer %d, WWW-Authenticate %q", w.Code, challenge)
			}
			if row.header == nil && strings.Contains(challenge, "error") {
				t.Error("RFC 6750 section 3.1: a request without a token gets no error code")
			}
			if row.status == 200 && w.Body.String() != row.body {
				t.Errorf("AccountFrom is %q", w.Body)
			}
		})
	}
	if !s.FamilyAlive("carol") {
		t.Error("RevokeAccess has ended the grant")
	}
}

func TestTheAPIEchoesAndIsRecorded(t *testing.T) {
	everywhere(t, func(t *testing.T, s *clienttest.Server) {
		grant := s.Grant("bob")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL(clienttest.APIPath)+"/things/1", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+grant.AccessToken)
		r, err := do(t, s.HTTPClient(), req)
		if err != nil {
			t.Fatal(err)
		}
		if r.text("account") != "bob" || r.text("method") != "PUT" || r.text("path") != "/api/things/1" || r.text("body") != "hello" {
			t.Errorf("answer %s", r.Body)
		}
		get(t, s, clienttest.APIPath, "")
		x := s.Exchanges()
		if len(x) != 2 || x[0].Path != clienttest.APIPath || x[0].Account != "bob" || x[0].Outcome != clienttest.Accepted ||
			x[1].Outcome != clienttest.Refused || x[1].Status != 401 {
			t.Errorf("recorded %+v", x)
		}
	})
}

func TestOptionsAPITakesThePlaceOfTheEcho(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) {
			o.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusTeapot)
				fmt.Fprint(w, clienttest.AccountFrom(r.Context()))
			})
		})
		if r := get(t, s, clienttest.APIPath, s.Grant("alice").AccessToken); r.Status != http.StatusTeapot || r.Body != "alice" {
			t.Errorf("answer %d %s", r.Status, r.Body)
		}
	})
}

func TestUserInfoTellsWhoItIs(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		if r := get(t, s, clienttest.UserInfoPath, s.Grant("alice").AccessToken); r.text("sub") != "alice" || r.text("email") == "" {
			t.Errorf("answer %d %s", r.Status, r.Body)
		}
	})
}

func TestWhatARevocationEnds(t *testing.T) {
	for _, row := range []struct {
		name     string
		how      clienttest.Revocation
		spent    bool // the refresh token was exchanged before
		next     bool // what it was exchanged for lives
		api      bool // so does the access token
		siblings bool // and another login of the account
	}{
		{"family", clienttest.RevokesFamily, false, false, false, true},
		{"family, by a token of before", clienttest.RevokesFamily, true, false, false, true},
		{"token", clienttest.RevokesToken, false, false, false, true},
		{"token of before", clienttest.RevokesToken, true, true, true, true},
		{"logins", clienttest.RevokesLogins, false, false, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, s *clienttest.Server) {
				s.Set(func(o *clienttest.Options) { o.Revocation = row.how })
				sibling, elsewhere := s.Grant("alice"), s.GrantTo(clienttest.ConfidentialClient, "alice")
				grant := s.Grant("alice")
				rt, access := grant.RefreshToken, grant.AccessToken
				next := rt
				if row.spent {
					next, access = mustRefresh(t, s, rt)
				}
				form := url.Values{"client_id": {"test-client"}, "token": {rt}, "token_type_hint": {"refresh_token"}}
				for range 2 { // RFC 7009 section 2.2: an invalid token is no error
					if r := post(t, s, clienttest.RevokePath, form); r.Status != 200 {
						t.Fatalf("the revocation was answered with %d %s", r.Status, r.Body)
					}
				}
				if r := get(t, s, clienttest.APIPath, access); (r.Status == 200) != row.api {
					t.Errorf("the API answers %d", r.Status)
				}
				if r := refresh(t, s, next); (r.Status == 200) != row.next {
					t.Errorf("the newest refresh token: %d %s", r.Status, r.Body)
				}
				if r := refresh(t, s, sibling.RefreshToken); (r.Status == 200) != row.siblings {
					t.Errorf("another login: %d %s", r.Status, r.Body)
				}
				if r := get(t, s, clienttest.APIPath, elsewhere.AccessToken); r.Status != 200 {
					t.Errorf("a login at another client has ended: %d", r.Status)
				}
			})
		})
	}
}

func TestARevokedAccessTokenEndsAlone(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		grant := s.Grant("alice")
		post(t, s, clienttest.RevokePath, url.Values{"client_id": {"test-client"}, "token": {grant.AccessToken}})
		if r := get(t, s, clienttest.APIPath, grant.AccessToken); r.Status != 401 {
			t.Errorf("the API answers %d", r.Status)
		}
		mustRefresh(t, s, grant.RefreshToken)
	})
}

func TestARevocationNeedsTheRightClientAndAToken(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		grant := s.GrantTo(clienttest.ConfidentialClient, "alice")
		if r := post(t, s, clienttest.RevokePath, url.Values{"client_id": {"test-client"}, "token": {grant.RefreshToken}}); r.Status != 200 {
			t.Errorf("a foreign token: %d, want 200 as for an unknown one", r.Status)
		}
		if !s.FamilyAlive("alice") {
			t.Error("a client has revoked the token of another")
		}
		wantError(t, post(t, s, clienttest.RevokePath, url.Values{"client_id": {"test-client"}}), 400, "invalid_request")
		wantError(t, post(t, s, clienttest.RevokePath, url.Values{"token": {"x"}}), 401, "invalid_client")
	})
}

func TestConsentAndTokensCanBeWithdrawn(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		one, two, other := s.Grant("alice"), s.Grant("alice"), s.Grant("bob")
		s.RevokeToken(one.RefreshToken)
		s.RevokeToken("unknown")
		wantError(t, refresh(t, s, one.RefreshToken), 400, "invalid_grant")
		if !s.FamilyAlive("alice") {
			t.Error("RevokeToken has ended another login")
		}
		s.Revoke("alice")
		wantError(t, refresh(t, s, two.RefreshToken), 400, "invalid_grant")
		if s.FamilyAlive("alice") || !s.FamilyAlive("bob") {
			t.Error("Revoke has ended the wrong account")
		}
		mustRefresh(t, s, other.RefreshToken)
		if s.Reused() != 0 {
			t.Error("a revoked token counts as reused")
		}
	})
}

func TestTheEndOfASession(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		c := s.HTTPClient()
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		if r := postPage(t, s, c, clienttest.EndSessionPath, url.Values{}); r.Status != 200 {
			t.Errorf("answer %d", r.Status)
		}
		r := postPage(t, s, c, clienttest.EndSessionPath, url.Values{"post_logout_redirect_uri": {"http://127.0.0.1:1/bye"}, "state": {"st"}})
		if to := location(t, r); to == nil || to.String() != "http://127.0.0.1:1/bye?state=st" {
			t.Errorf("sent to %v", to)
		}
		if r := postPage(t, s, c, clienttest.EndSessionPath, url.Values{"post_logout_redirect_uri": {"https://evil.example"}}); r.Status != 400 {
			t.Errorf("sent to anywhere: %d", r.Status)
		}
	})
}
