package trace_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/regrant/regrant/examples/cli/internal/trace"
)

func TestATraceShowsTheProtocolAndNoSecret(t *testing.T) {
	secrets := []string{"the-refresh-token", "the-code", "the-verifier", "the-access-token", "the-new-refresh-token", "the-client-secret", "the-state"}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.PostForm.Get("refresh_token") != "the-refresh-token" {
			t.Errorf("the form is %v (%v)", r.PostForm, err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "https://example.com/?code=the-code")
		_, _ = io.WriteString(w, `{"access_token":"the-access-token","refresh_token":"the-new-refresh-token","expires_in":60,
			"error_description":"what about the-refresh-token?","unheard_of":"the-state"}`)
	}))
	defer s.Close()
	var shown strings.Builder
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {"the-refresh-token"}, "code": {"the-code"}, "code_verifier": {"the-verifier"},
		"client_secret": {"the-client-secret"}, "state": {"the-state"},
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/token?state=the-state", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("me", "the-client-secret")
	resp, err := trace.Server(http.DefaultTransport, &shown).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), "the-access-token") {
		t.Errorf("the answer that comes through is %s (%v)", body, err)
	}
	for _, part := range []string{"POST ", "/token?state=[not shown]", "grant_type=refresh_token", "refresh_token=[not shown]", "Basic [not shown]", "200 OK", "expires_in: 60"} {
		if !strings.Contains(shown.String(), part) {
			t.Errorf("there is no %q in:\n%s", part, &shown)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(shown.String(), secret) {
			t.Errorf("%q is in:\n%s", secret, &shown)
		}
	}
}

func TestABodyThatIsForAnAPIIsNobodysBusiness(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"error":"private"}`) }))
	defer s.Close()
	var shown strings.Builder
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("scope=private"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer private")
	resp, err := trace.API(http.DefaultTransport, &shown).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != `{"error":"private"}` || strings.Contains(shown.String(), "private") {
		t.Errorf("%s, and the trace:\n%s", body, &shown)
	}
}
