package tokenendpoint_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/canary"
	"github.com/regrant/regrant/internal/tokenendpoint"
)

// FuzzAnswer: whatever a token, device authorization or revocation endpoint
// answers, there is a usable answer or an error that shows neither what was sent
// nor a token that came. The members of an answer in JSON are those that
// encoding/json reads, by their exact names; its lifetimes are within bounds;
// and the rest of it survives being written and read.
func FuzzAnswer(f *testing.F) {
	f.Add("application/json", tokens, 200)
	for _, rest := range []string{
		`"token_type":"bearer","expires_in":43199,"scope":"openid  email,read"`,
		`"token_type":"Bearer","expires_in":"3600","refresh_token":null,"Access_Token":"x","expires_in":3.6e3`,                             // Azure AD v1, and names in another case
		`"token_type":"bearer","refresh_token_expires_in":15897600,"expires_in":28800`,                                                     // GitHub
		`"token_type":"Bearer","refresh_expires_in":0,"not-before-policy":0,"session_state":"f1"`,                                          // Keycloak
		`"token_type":"Bearer","issued_at":"1795492800000","instance_url":"https:\/\/eu1.example.com","signature":"c2ln"`,                  // Salesforce
		`"ok":false,"error":"token_revoked","authed_user":{"access_token":"x"}`,                                                            // Slack
		`"status":503,"error":"Invalid Params: invalid refresh_token"`, `"status":0,"authed_user":{"access_token":"x","token_type":"N_A"}`, // Withings
		`"error":{"message":"used","type":"invalid_request_error","code":"refresh_token_reused"}`,             // OpenAI
		`"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."`, // GitHub
		`"token_type":"N_A"`, `"token_type":"Bearer","expires_in":1e999`, `"token_type":"Bearer","expires_in":"\u0033600\n"`, `"a":[[1`,
		`"token_type":"Bearer","refresh_expires_in":-5,"x_refresh_token_expires_in":" 8726400 ","access_token":"a\u0000"`,
	} {
		f.Add("application/json;charset=UTF-8", `{"access_token":"`+canary.Secret+`","refresh_token":"`+canary.Secret+`",`+rest+`}`, 200)
	}
	f.Add("text/plain", "access_token="+canary.Secret+"&token_type=bearer&expires_in=9223372036854775808", 200)
	f.Add(asForm, "error=bad_verification_code&error_description=b;c", 400)
	f.Add("text/html", "<html>", 403)
	f.Add("application/json", `{"error":"invalid_grant","error_description":"x","refresh_token":"`+refreshToken+`"}`, 200)
	f.Add("application/json", `{"error":"invalid_grant","suberror":"basic_action","claims":"{\"access_token\":{}}"}`, 400)
	f.Add("application/json", `{"device_code":"`+canary.Secret+`","user_code":"WDJB-MJHT","verification_url":"https://as.example.com","interval":"5"}`, 200)
	f.Add("", "", 400)
	f.Fuzz(func(t *testing.T, contentType, body string, status int) {
		status = 200 + (status%400+400)%400
		base := canned(status, contentType, body)
		form, header := request()
		check := func(err error) {
			e := failure(t, err)
			if e.Outcome < tokenendpoint.Unprocessed || e.Outcome > tokenendpoint.Refused {
				t.Errorf("outcome %d of an answer", e.Outcome)
			}
			checkText(t, err)
			if tokensOnly(body) && canary.Shown(err) != "" {
				t.Errorf("%s shows a token that came: %v", canary.Shown(err), err)
			}
		}

		a, err := rfc6749.Post(t.Context(), base, endpoint, form, header)
		switch {
		case err != nil:
			check(err)
			if a != nil && (a.RefreshToken == "" || a.AccessToken != "" || status/100 != 2) {
				t.Errorf("an answer beside the error is %+v", a)
			}
		case a.AccessToken == "" || !tokenendpoint.HeaderSafe(a.AccessToken) || status/100 != 2:
			t.Errorf("the access token is %q, with status %d", a.AccessToken, status)
		case json.Valid([]byte(body)):
			checkMembers(t, a, body)
		}
		// A dialect reads other members, and keeps the same promises.
		d := tokenendpoint.Dialect{
			Nested: "authed_user", ErrorMember: "status", ErrorNone: "0", Dead: []string{"bad_refresh_token"}, TokenTypes: []string{"N_A"},
			Milliseconds: true, Lifetime: time.Hour,
		}
		switch a, err := d.Post(t.Context(), base, endpoint, form, header); {
		case err != nil:
			check(err)
		case a.AccessToken == "" || !tokenendpoint.HeaderSafe(a.AccessToken) || a.Lifetime <= 0 || a.Lifetime > longest || status/100 != 2:
			t.Errorf("in a dialect, an answer is %+v, with status %d", a, status)
		}
		if d, err := rfc6749.Device(t.Context(), base, endpoint, form, header); err != nil {
			check(err)
		} else if d.DeviceCode == "" || d.UserCode == "" || d.VerificationURI == "" || d.Interval < 0 || d.Lifetime < 0 || d.Lifetime > longest {
			t.Errorf("a device answer is %+v", d)
		}
		if err := rfc6749.Revoke(t.Context(), base, endpoint, form, header); err != nil {
			check(err)
		} else if status/100 != 2 {
			t.Errorf("status %d revokes", status)
		}
	})
}

// tokensOnly tells whether all secrets in body are where a token is meant to be:
// a server that repeats a new one elsewhere shows it by itself.
func tokensOnly(body string) bool {
	member := regexp.MustCompile(`(^|&)(access_token|refresh_token|id_token|device_code)=` + canary.Secret + `(&|$)`)
	if json.Valid([]byte(body)) {
		member = regexp.MustCompile(`[{,]"(access_token|refresh_token|id_token|device_code)":"` + canary.Secret + `"`)
	}
	return !canary.In(member.ReplaceAllString(body, ""))
}

// checkMembers compares a with what encoding/json reads.
func checkMembers(t *testing.T, a *tokenendpoint.Answer, body string) {
	t.Helper()
	want := object(t, []byte(body))
	for name, got := range map[string]string{
		"access_token": a.AccessToken, "token_type": a.TokenType, "refresh_token": a.RefreshToken, "id_token": a.IDToken, "scope": a.Scope,
	} {
		if s, _ := want[name].(string); s != got {
			t.Errorf("%s is %q, want %q", name, got, s)
		}
	}
	if d := lifetime(want["expires_in"]); a.Lifetime != d {
		t.Errorf("the lifetime is %v, want %v", a.Lifetime, d)
	}
	if d := max(lifetime(want["refresh_token_expires_in"]), lifetime(want["refresh_expires_in"]), lifetime(want["x_refresh_token_expires_in"])); a.RefreshLifetime != d {
		t.Errorf("the lifetime of the refresh token is %v, want %v", a.RefreshLifetime, d)
	}
	kept, err := json.Marshal(a.Extra)
	if err != nil {
		t.Fatalf("the other members cannot be kept: %v", err)
	}
	for name, value := range object(t, kept) {
		if !reflect.DeepEqual(value, want[name]) {
			t.Errorf("%q is %v, want %v", name, value, want[name])
		}
	}
}

func object(t *testing.T, data []byte) (members map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		t.Fatal(err)
	}
	return members
}

// lifetime is what a member of an answer says about time.
func lifetime(member any) time.Duration {
	var text string
	switch member := member.(type) {
	case string:
		text = strings.TrimSpace(member)
	case json.Number:
		text = member.String()
	}
	n, _ := strconv.ParseFloat(text, 64) // infinite if it is out of range
	switch {
	case n > 0 && n < longest.Seconds():
		return time.Duration(n * float64(time.Second))
	case n > 0:
		return longest
	}
	return 0
}

// FuzzRetryAfter: whatever a server wants, it is what package net/http reads of a
// date, or a number of seconds of any length, but never a negative time nor more
// than an hour.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, s := range []string{
		"", "0", "120", "-1", "+5", "3601", "007", "99999999999999999999", " 60\t", "1.5", "0x10", "1_000", "١",
		"Wed, 25 Nov 2026 12:30:00 GMT", "Wed Nov 25 12:30:00 2026", "Wednesday, 25-Nov-26 12:30:00 GMT", "Wed, 25 Nov 2026 11:59:59 GMT",
		"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0000 00:00:00 GMT", "Wed, 25-Nov-26 12:30:00 GMT", "2026-11-25T12:30:00Z",
	} {
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, value string, repeat bool) {
		head := http.Header{"Retry-After": {value}}
		if repeat {
			head.Add("Retry-After", "1800")
		}
		var want time.Duration
		text := strings.TrimSpace(value)
		n, number := new(big.Int).SetString(text, 10)
		switch when, err := http.ParseTime(text); {
		case number && n.Sign() >= 0 && !strings.HasPrefix(text, "+") && !strings.HasPrefix(text, "-"):
			want = time.Hour
			if n.Cmp(big.NewInt(3600)) < 0 {
				want = time.Duration(n.Int64()) * time.Second
			}
		case err == nil && when.After(now):
			want = min(when.Sub(now), time.Hour)
		}
		if got := tokenendpoint.RetryAfter(head, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", value, got, want)
		}
	})
}
