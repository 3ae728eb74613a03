package tokenendpoint_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/tokenendpoint"
)

func TestAnAnswerInADialectIsUnderstood(t *testing.T) {
	slack := tokenendpoint.Dialect{Nested: "authed_user", TokenTypes: []string{"bot", "user"}, Dead: []string{"invalid_refresh_token"}}
	withings := tokenendpoint.Dialect{Nested: "body", ErrorMember: "status", ErrorNone: "0"}
	hubspot := tokenendpoint.Dialect{ErrorMember: "status", Dead: []string{"BAD_REFRESH_TOKEN"}}
	atlassian := tokenendpoint.Dialect{Dead: []string{"unauthorized_client: refresh_token is invalid"}}
	openai := tokenendpoint.Dialect{Dead: []string{"refresh_token_reused"}}
	for _, c := range []struct {
		name    string
		dialect tokenendpoint.Dialect
		status  int
		body    string
		want    tokenendpoint.Answer // AccessToken "": a refusal with
		code    string
		dead    bool
	}{
		{
			name: "a token inside of a member", dialect: slack, status: 200,
			body: `{"ok":true,"authed_user":{"id":"U1","access_token":"at","token_type":"user","refresh_token":"rt","expires_in":43200}}`,
			want: tokenendpoint.Answer{AccessToken: "at", TokenType: "Bearer", RefreshToken: "rt", Lifetime: 12 * time.Hour},
		},
		{
			name: "a token at the top is preferred", dialect: slack, status: 200,
			body: `{"ok":true,"access_token":"at","token_type":"bot","authed_user":{"access_token":"other"}}`,
			want: tokenendpoint.Answer{AccessToken: "at", TokenType: "Bearer"},
		},
		{
			name: "a success with a status in it", dialect: withings, status: 200,
			body: `{"status":0,"body":{"access_token":"at","token_type":"Bearer","refresh_token":"rt","expires_in":10800}}`,
			want: tokenendpoint.Answer{AccessToken: "at", TokenType: "Bearer", RefreshToken: "rt", Lifetime: 3 * time.Hour},
		},
		{name: "a status that is no HTTP status", dialect: withings, status: 200, body: `{"status":503,"error":"Invalid Params: invalid refresh_token"}`, code: "503"},
		{name: "ok is false", dialect: slack, status: 200, body: `{"ok":false,"error":"invalid_refresh_token"}`, code: "invalid_refresh_token", dead: true},
		{name: "ok is false, and nothing else", status: 200, body: `{"ok":false}`, code: "unknown_error"},
		{name: "a word for a dead token", dialect: hubspot, status: 400, body: `{"status":"BAD_REFRESH_TOKEN","message":"missing or unknown refresh token"}`, code: "BAD_REFRESH_TOKEN", dead: true},
		{name: "another word", dialect: hubspot, status: 400, body: `{"status":"BAD_CLIENT_ID"}`, code: "BAD_CLIENT_ID"},
		{
			name: "a word for a dead token, by what is said of it", dialect: atlassian, status: 403, code: "unauthorized_client", dead: true,
			body: `{"error":"unauthorized_client","error_description":"refresh_token is invalid"}`,
		},
		{
			name: "the same word for a client that may not", dialect: atlassian, status: 403, code: "unauthorized_client",
			body: `{"error":"unauthorized_client","error_description":"Grant type 'refresh_token' not allowed for the client."}`,
		},
		{name: "the same word alone", dialect: atlassian, status: 403, body: `{"error":"unauthorized_client"}`, code: "unauthorized_client"},
		{name: "an error that is an object", dialect: openai, status: 401, body: `{"error":{"message":"used","type":"invalid_request_error","code":"refresh_token_reused"}}`, code: "refresh_token_reused", dead: true},
		{name: "an object without a code", status: 401, body: `{"error":{"type":"invalid_request_error","code":null}}`, code: "invalid_request_error"},
		{name: "the plain word", dialect: slack, status: 400, body: `{"error":"invalid_grant"}`, code: "invalid_grant", dead: true},
		{name: "the plain word in no dialect", status: 400, body: `{"error":"invalid_grant"}`, code: "invalid_grant", dead: true},
		{name: "no dead token in no dialect", status: 400, body: `{"error":"invalid_refresh_token"}`, code: "invalid_refresh_token"},
		{
			name: "milliseconds", dialect: tokenendpoint.Dialect{Milliseconds: true}, status: 200,
			body: `{"access_token":"at","token_type":"Bearer","expires_in":"3600000"}`,
			want: tokenendpoint.Answer{AccessToken: "at", TokenType: "Bearer", Lifetime: time.Hour},
		},
		{
			name: "a lifetime that everybody knows", dialect: tokenendpoint.Dialect{Lifetime: 2 * time.Hour}, status: 200,
			body: `{"access_token":"at","token_type":"bearer"}`,
			want: tokenendpoint.Answer{AccessToken: "at", TokenType: "bearer", Lifetime: 2 * time.Hour},
		},
		{
			name: "a lifetime that is said", dialect: tokenendpoint.Dialect{Lifetime: 2 * time.Hour}, status: 200,
			body: `{"access_token":"at","token_type":"bearer","expires_in":60}`,
			want: tokenendpoint.Answer{AccessToken: "at", TokenType: "bearer", Lifetime: time.Minute},
		},
		{
			name: "no token type", dialect: tokenendpoint.Dialect{TokenTypes: []string{""}}, status: 200,
			body: `{"access_token":"at"}`,
			want: tokenendpoint.Answer{AccessToken: "at", TokenType: "Bearer"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			form, header := request()
			got, err := c.dialect.Post(t.Context(), &http.Transport{}, answering(t, c.status, "Content-Type: application/json", c.body), form, header)
			if c.want.AccessToken != "" {
				if err != nil {
					t.Fatal(err)
				}
				if got.AccessToken != c.want.AccessToken || got.TokenType != c.want.TokenType || got.RefreshToken != c.want.RefreshToken || got.Lifetime != c.want.Lifetime {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				return
			}
			e, ok := err.(*tokenendpoint.Error)
			if !ok || e.Outcome != tokenendpoint.Refused || e.Code != c.code || e.Dead != c.dead {
				t.Errorf("got %+v (%v), want a refusal with %q, dead: %v", e, err, c.code, c.dead)
			}
		})
	}
}

// What lies beside the tokens stays, and nothing of another member overrides them.
func TestWhatIsBesideANestedTokenIsKept(t *testing.T) {
	form, header := request()
	d := tokenendpoint.Dialect{Nested: "authed_user"}
	a, err := d.Post(t.Context(), &http.Transport{}, answering(t, 200, "Content-Type: application/json",
		`{"ok":true,"team":{"id":"T1"},"authed_user":{"id":"U1","access_token":"at","token_type":"Bearer"}}`), form, header)
	if err != nil {
		t.Fatal(err)
	}
	if string(a.Extra["team"]) != `{"id":"T1"}` || string(a.Extra["id"]) != `"U1"` || a.Extra["authed_user"] != nil {
		t.Errorf("the extra members are %v", a.Extra)
	}
}

func TestARequestCanBeJSON(t *testing.T) {
	var got map[string]string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &got) != nil {
			t.Errorf("the request is %q of %q (%v)", body, r.Header.Get("Content-Type"), err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, tokens)
	}))
	defer s.Close()
	_, header := request()
	d := tokenendpoint.Dialect{JSONRequest: true}
	if _, err := d.Post(t.Context(), s.Client().Transport, s.URL, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {`a"b`}}, header); err != nil {
		t.Fatal(err)
	}
	if got["grant_type"] != "refresh_token" || got["refresh_token"] != `a"b` {
		t.Errorf("the server got %v", got)
	}
}
