package tokenendpoint_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/tokenendpoint"
)

// What the requests of these tests carry.
const (
	refreshToken = "rt.Zk3vQ9xWm7Lp2TbN"
	clientSecret = "p%+ é&=8Hs5Rd1Ycf6Gj"
	clientID     = "a:b"
	tokens       = `{"access_token":"at-1","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-2"}`
)

// rfc6749 is the Dialect of RFC 6749.
var rfc6749 = tokenendpoint.Dialect{}

func request() (url.Values, http.Header) {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(clientSecret))
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}, r.Header
}

func post(t *testing.T, endpoint string) (*tokenendpoint.Answer, error) {
	t.Helper()
	form, header := request()
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	return rfc6749.Post(t.Context(), base, endpoint, form, header)
}

// failure returns the *Error that err must be.
func failure(t *testing.T, err error) *tokenendpoint.Error {
	t.Helper()
	e, ok := errors.AsType[*tokenendpoint.Error](err)
	if !ok {
		t.Fatalf("error is %T (%v), want *tokenendpoint.Error", err, err)
	}
	return e
}

func answering(t *testing.T, status int, header, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestTheStatusAndTheBodyTellWhatBecameOfTheRequest(t *testing.T) {
	const (
		lost        = tokenendpoint.Lost
		refused     = tokenendpoint.Refused
		unprocessed = tokenendpoint.Unprocessed
		page        = "<html><title>Attention Required!</title></html>"
		asJSON      = "Content-Type: application/json"
		asHTML      = "Content-Type: text/html"
	)
	for _, c := range []struct {
		name         string
		status       int
		header, body string
		outcome      tokenendpoint.Outcome
		code         string
	}{
		{"a dead token", 400, asJSON, `{"error":"invalid_grant"}`, refused, "invalid_grant"},
		{"a wrong client", 401, asJSON, `{"error":"invalid_client"}`, refused, "invalid_client"},
		{"an error with status 403 (Atlassian)", 403, asJSON, `{"error":"invalid_grant"}`, refused, "invalid_grant"},
		{"an error without a content type", 400, "", `{"error":"invalid_grant"}`, refused, "invalid_grant"},
		{"an error as a form (GitHub)", 400, "Content-Type: application/x-www-form-urlencoded", "error=bad_refresh_token&error_uri=x", refused, "bad_refresh_token"},
		{"an error with status 200 (GitHub)", 200, asJSON, `{"error":"bad_verification_code"}`, refused, "bad_verification_code"},
		{"an error that is no string", 200, asJSON, `{"error":{"code":7},"access_token":"at","token_type":"Bearer"}`, refused, "unknown_error"},
		{"a code that is not fit to be one", 400, asJSON, `{"error":"invalid grant\u001b[2J"}`, refused, "unknown_error"},
		{"an empty 400", 400, "", "", refused, ""},
		{"a 400 of white space", 400, "Content-Type: text/plain", "\r\n", refused, ""},

		{"a busy server", 400, asJSON, `{"error":"temporarily_unavailable"}`, unprocessed, "temporarily_unavailable"},
		{"a request to slow down", 400, asJSON, `{"error":"slow_down"}`, unprocessed, "slow_down"},
		{"429", 429, asJSON, `{"error":"rate_limited"}`, unprocessed, "rate_limited"},
		{"429 with a page", 429, asHTML, page, unprocessed, ""},
		{"503", 503, "", "", unprocessed, ""},
		{"503 that blames the grant", 503, asJSON, `{"error":"invalid_grant"}`, unprocessed, "invalid_grant"},
		{"the page of a firewall", 403, asHTML, page, unprocessed, ""},
		{"a 400 with a page", 400, asHTML, page, unprocessed, ""},
		{"a wrong path", 404, asHTML, page, unprocessed, ""},
		{"JSON without an error (HubSpot)", 400, asJSON, `{"status":"BAD_AUTH_CODE","message":"no"}`, unprocessed, ""},
		{"an error object (an API gateway)", 401, asJSON, `{"error":{"message":"no"}}`, unprocessed, ""},
		{"an empty 401", 401, "", "", unprocessed, ""},

		{"500", 500, "", "oops", lost, ""},
		{"500 with a code (hydra)", 500, asJSON, `{"error":"error"}`, lost, "error"},
		{"500 that blames the grant", 500, asJSON, `{"error":"invalid_grant"}`, lost, "invalid_grant"},
		{"500 in other words", 400, asJSON, `{"error":"server_error"}`, lost, "server_error"},
		{"502", 502, asHTML, page, lost, ""},
		{"504", 504, asHTML, page, lost, ""},
		{"520 of a content delivery network", 520, asHTML, page, lost, ""},
		{"200 with a page", 200, asHTML, page, lost, ""},
		{"200 with nothing", 200, "", "", lost, ""},
		{"204", 204, "", "", lost, ""},
		{"200 with half an object", 200, asJSON, tokens[:40], lost, ""},
		{"200 with null", 200, asJSON, "null", lost, ""},
		{"200 with an array", 200, asJSON, "[" + tokens + "]", lost, ""},
		{"200 with something after the object", 200, asJSON, tokens + "x", lost, ""},
		{"200 without an access token", 200, asJSON, `{"token_type":"Bearer"}`, lost, ""},
		{"200 with an endless body", 200, asJSON, `{"access_token":"` + strings.Repeat("a", 2<<20), lost, ""},
		{"403 with an endless page", 403, asHTML, strings.Repeat(page, 30_000), unprocessed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := post(t, answering(t, c.status, c.header, c.body))
			e := failure(t, err)
			if a != nil {
				t.Errorf("there is an answer: %+v", a)
			}
			if e.Outcome != c.outcome || e.Code != c.code || e.Status != c.status || e.Redirect {
				t.Errorf("outcome %d code %q status %d redirect %v, want %d %q %d false (%v)",
					e.Outcome, e.Code, e.Status, e.Redirect, c.outcome, c.code, c.status, e)
			}
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var seen int
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen++ }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			_, err := post(t, answering(t, status, "Location: "+elsewhere.URL+"/?token="+refreshToken, "moved"))
			e := failure(t, err)
			if e.Outcome != tokenendpoint.Unprocessed || !e.Redirect || e.Status != status {
				t.Errorf("outcome %d redirect %v status %d", e.Outcome, e.Redirect, e.Status)
			}
			if strings.Contains(err.Error(), elsewhere.URL) {
				t.Errorf("the error shows where the server points: %v", err)
			}
		})
	}
	if seen != 0 {
		t.Errorf("%d requests have followed", seen)
	}
}

func TestARedirectWithAnEndlessBodyIsARedirect(t *testing.T) {
	_, err := post(t, answering(t, 307, "Location: https://example.com", strings.Repeat("x", 2<<20)))
	if e := failure(t, err); !e.Redirect || e.Outcome != tokenendpoint.Unprocessed {
		t.Errorf("outcome %d redirect %v", e.Outcome, e.Redirect)
	}
}

func TestARefreshTokenBesideAnErrorIsNotLost(t *testing.T) {
	for name, body := range map[string]string{
		"an error with status 200":   `{"error":"server_error","refresh_token":"rt-2","refresh_token_expires_in":60,"access_token":"at"}`,
		"no access token":            `{"token_type":"Bearer","refresh_token":"rt-2","refresh_token_expires_in":60}`,
		"no token type":              `{"access_token":"at","refresh_token":"rt-2","refresh_token_expires_in":60}`,
		"a token of another type":    `{"access_token":"at","token_type":"N_A","refresh_token":"rt-2","refresh_token_expires_in":60}`,
		"a token that breaks a line": `{"access_token":"at\r\nX: y","token_type":"Bearer","refresh_token":"rt-2","refresh_token_expires_in":60}`,
	} {
		t.Run(name, func(t *testing.T) {
			a, err := post(t, answering(t, 200, "", body))
			if failure(t, err).Outcome != tokenendpoint.Lost {
				t.Errorf("error is %v, want Lost", err)
			}
			if a == nil || a.RefreshToken != "rt-2" || a.RefreshLifetime != time.Minute {
				t.Fatalf("answer is %+v, want the refresh token", a)
			}
			if a.AccessToken != "" || a.TokenType != "" || a.Extra != nil {
				t.Errorf("answer is %+v, want nothing but the refresh token", a)
			}
		})
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for _, c := range []struct {
		value    string
		from, to time.Duration
	}{
		{"", 0, 0},
		{"0", 0, 0},
		{"120", 2 * time.Minute, 2 * time.Minute},
		{" 120 ", 2 * time.Minute, 2 * time.Minute},
		{"-5", 0, 0},
		{"1.5", 0, 0},
		{"soon", 0, 0},
		{"86400", time.Hour, time.Hour},
		{"18446744073709551615", time.Hour, time.Hour},
		{"99999999999999999999999999", time.Hour, time.Hour},
		{in(10 * time.Minute), 9 * time.Minute, 10 * time.Minute},
		{in(-10 * time.Minute), 0, 0},
		{in(100 * 365 * 24 * time.Hour), time.Hour, time.Hour},
		{"Mon, 01 Jan 0001 00:00:00 GMT", 0, 0},
	} {
		for _, status := range []int{429, 503} {
			t.Run(fmt.Sprint(status, " ", c.value), func(t *testing.T) {
				_, err := post(t, answering(t, status, "Retry-After: "+c.value, ""))
				if d := failure(t, err).RetryAfter; d < c.from || d > c.to {
					t.Errorf("RetryAfter is %v, want %v to %v", d, c.from, c.to)
				}
			})
		}
	}
}

func TestARevocationCountsByItsStatus(t *testing.T) {
	for _, c := range []struct {
		name         string
		status       int
		header, body string
		outcome      tokenendpoint.Outcome // 0: success
		code         string
	}{
		{"200", 200, "", "", 0, ""},
		{"200 with a page", 200, "Content-Type: text/html", "<html>", 0, ""},
		{"200 with an error", 200, "", `{"error":"invalid_token"}`, 0, ""},
		{"200 with an endless body", 200, "", strings.Repeat("x", 2<<20), 0, ""},
		{"204", 204, "", "", 0, ""},
		{"a kind of token that cannot be revoked", 400, "", `{"error":"unsupported_token_type"}`, tokenendpoint.Refused, "unsupported_token_type"},
		{"503", 503, "Retry-After: 2", "", tokenendpoint.Unprocessed, ""},
		{"500", 500, "", "", tokenendpoint.Lost, ""},
		{"307", 307, "Location: https://example.com", "", tokenendpoint.Unprocessed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			form, header := request()
			base := &http.Transport{}
			t.Cleanup(base.CloseIdleConnections)
			err := rfc6749.Revoke(t.Context(), base, answering(t, c.status, c.header, c.body), form, header)
			if c.outcome == 0 {
				if err != nil {
					t.Errorf("error is %v, want success", err)
				}
				return
			}
			if e := failure(t, err); e.Outcome != c.outcome || e.Code != c.code || e.Status != c.status {
				t.Errorf("outcome %d code %q status %d, want %d %q %d", e.Outcome, e.Code, e.Status, c.outcome, c.code, c.status)
			}
		})
	}
}

func TestARevocationThatIsPutOffSaysUntilWhen(t *testing.T) {
	form, header := request()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	err := rfc6749.Revoke(t.Context(), base, answering(t, 503, "Retry-After: 2", ""), form, header)
	if d := failure(t, err).RetryAfter; d != 2*time.Second {
		t.Errorf("RetryAfter is %v, want 2s", d)
	}
}
