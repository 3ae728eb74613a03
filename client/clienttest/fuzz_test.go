package clienttest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/secureurl"
)

// FuzzRequest: whatever request comes, the server answers without a panic, with
// JSON that is some; it sends a browser nowhere but to itself or to loopback; and
// it issues tokens for nothing but a refresh token, once, or a password.
func FuzzRequest(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	for _, body := range []string{
		"grant_type=refresh_token&client_id=test-client&refresh_token=$R", "grant_type=refresh_token&refresh_token=$R&scope=openid&resource=x",
		"grant_type=password&client_id=test-client&username=alice&password=password", "grant_type=authorization_code&code=x&client_id=test-client&code_verifier=y",
		"grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x&client_id=test-client", "grant_type=refresh_token&grant_type=password", "%zz", "",
	} {
		f.Add("POST", TokenPath, form, "", body)
	}
	f.Add("POST", TokenPath, form, "Basic dGVzdC1jb25maWRlbnRpYWw6dGVzdC1zZWNyZXQ=", "grant_type=refresh_token&refresh_token=$R")
	f.Add("GET", AuthorizePath+"?response_type=code&client_id=test-client&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&code_challenge=x&code_challenge_method=S256&state=s", "", "", "")
	f.Add("GET", AuthorizePath+"?client_id=test-client&redirect_uri=https%3A%2F%2Fevil.example", "", "", "")
	f.Add("POST", DevicePath, form, "", "client_id=test-client&scope=openid")
	f.Add("POST", VerifyPath, form, "", "user_code=AAAA-AAAA&user=alice")
	f.Add("POST", RevokePath, form, "", "client_id=test-client&token=$R")
	f.Add("GET", EndSessionPath+"?id_token_hint=a.b.c&post_logout_redirect_uri=https%3A%2F%2Fevil.example", "", "", "")
	for _, path := range []string{DiscoveryPath, JWKSPath, UserInfoPath, APIPath + "/../x", loginPath, "//evil.example", "/"} {
		f.Add("GET", path, "", "Bearer x", "")
	}
	f.Fuzz(func(t *testing.T, method, target, contentType, authorization, body string) {
		u, err := url.Parse("https://as.example" + target)
		if err != nil {
			t.Skip("net/http would refuse it")
		}
		s := NewMemoryServer(t)
		refresh := s.Grant("alice").RefreshToken
		sent := strings.ReplaceAll(body, "$R", refresh)
		header := http.Header{"Content-Type": {contentType}}
		if authorization != "" {
			header.Set("Authorization", authorization)
		}
		for range 2 {
			w := httptest.NewRecorder()
			s.serve(w, (&http.Request{
				Method: method, URL: u, Host: u.Host, Header: header, Body: io.NopCloser(strings.NewReader(sent)),
			}).WithContext(t.Context()))
			var answer map[string]any
			if w.Header().Get("Content-Type") == "application/json" {
				if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
					t.Errorf("the answer is %q: %v", w.Body, err)
				}
			}
			if to, err := url.Parse(w.Header().Get("Location")); err != nil || to.Host != "" && to.Host != "as.example" && !secureurl.IsLoopback(to.Hostname()) {
				t.Errorf("the browser is sent to %q", to)
			}
			if _, issued := answer["access_token"]; issued && sent == body && !strings.Contains(body, "password") {
				t.Errorf("%s issues %v", body, answer)
			}
		}
		if n := s.Spent(refresh); n > 1 {
			t.Errorf("the refresh token was spent %d times", n)
		}
	})
}
