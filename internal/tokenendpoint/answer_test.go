package tokenendpoint_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/tokenendpoint"
)

const (
	day      = 24 * time.Hour
	longest  = 3650 * day
	asForm   = "application/x-www-form-urlencoded"
	minimal  = `"access_token":"at","token_type":"Bearer"`
	endpoint = "https://as.example.com/token"
)

// parse returns what becomes of a 200 with this body.
func parse(t testing.TB, contentType, body string) (*tokenendpoint.Answer, error) {
	form, header := request()
	return rfc6749.Post(t.Context(), canned(http.StatusOK, contentType, body), endpoint, form, header)
}

func TestAnAnswerIsReadAsServersWriteIt(t *testing.T) {
	base := tokenendpoint.Answer{AccessToken: "at", TokenType: "Bearer"}
	with := func(set func(*tokenendpoint.Answer)) tokenendpoint.Answer {
		a := base
		set(&a)
		return a
	}
	lifetime := func(d time.Duration) tokenendpoint.Answer {
		return with(func(a *tokenendpoint.Answer) { a.Lifetime = d })
	}
	refreshLifetime := func(d time.Duration) tokenendpoint.Answer {
		return with(func(a *tokenendpoint.Answer) { a.RefreshLifetime = d })
	}
	refresh := func(token string) tokenendpoint.Answer {
		return with(func(a *tokenendpoint.Answer) { a.RefreshToken = token })
	}
	extra := func(name, raw string) tokenendpoint.Answer {
		return with(func(a *tokenendpoint.Answer) { a.Extra = map[string]json.RawMessage{name: json.RawMessage(raw)} })
	}
	for _, c := range []struct {
		name, contentType, body string
		want                    tokenendpoint.Answer
	}{
		{"everything", "application/json;charset=UTF-8",
			`{"access_token":"at","token_type":"Bearer","expires_in":3600,"refresh_token":"rt","id_token":"a.b.c","scope":"x y"}`,
			tokenendpoint.Answer{AccessToken: "at", TokenType: "Bearer", Lifetime: time.Hour, RefreshToken: "rt", IDToken: "a.b.c", Scope: "x y"}},
		{"no content type", "", `{` + minimal + `}`, base},
		{"JSON that is called text", "text/plain", "\r\n {" + minimal + `}`, base},
		{"JSON that is called a form", asForm, `{` + minimal + `}`, base},
		{"a form", asForm, "access_token=at&token_type=Bearer&expires_in=3600&scope=x+y&refresh_token=r%26t",
			tokenendpoint.Answer{AccessToken: "at", TokenType: "Bearer", Lifetime: time.Hour, RefreshToken: "r&t", Scope: "x y"}},
		{"a form that is called text", "text/plain; charset=utf-8", "access_token=at&token_type=Bearer\n", base},
		{"a form with extra members", asForm, `access_token=at&token_type=Bearer&team=%3CA%3E"`, extra("team", `"\u003cA\u003e\""`)},
		{"a type in another case", "", `{"access_token":"at","token_type":"bEaReR"}`, with(func(a *tokenendpoint.Answer) { a.TokenType = "bEaReR" })},
		{"a token bound to a key", "", `{"access_token":"at","token_type":"dpop"}`, with(func(a *tokenendpoint.Answer) { a.TokenType = "dpop" })},

		{"a lifetime", "", `{` + minimal + `,"expires_in":3600}`, lifetime(time.Hour)},
		{"a lifetime as a string", "", `{` + minimal + `,"expires_in":"3600"}`, lifetime(time.Hour)},
		{"a lifetime in a string with spaces", "", `{` + minimal + `,"expires_in":" 3600 "}`, lifetime(time.Hour)},
		{"a lifetime in a string with escapes", "", `{` + minimal + `,"expires_in":"\u0033600"}`, lifetime(time.Hour)},
		{"a lifetime with a fraction", "", `{` + minimal + `,"expires_in":1.5}`, lifetime(1500 * time.Millisecond)},
		{"a lifetime with an exponent", "", `{` + minimal + `,"expires_in":3.6e3}`, lifetime(time.Hour)},
		{"no lifetime (Salesforce)", "", `{` + minimal + `}`, base},
		{"a lifetime of null", "", `{` + minimal + `,"expires_in":null}`, base},
		{"a lifetime of zero", "", `{` + minimal + `,"expires_in":0}`, base},
		{"a lifetime of zero as a string", "", `{` + minimal + `,"expires_in":"0"}`, base},
		{"a lifetime below zero", "", `{` + minimal + `,"expires_in":-1}`, base},
		{"a lifetime that is empty", "", `{` + minimal + `,"expires_in":""}`, base},
		{"a lifetime in words", "", `{` + minimal + `,"expires_in":"soon"}`, base},
		{"a lifetime that is no number", "", `{` + minimal + `,"expires_in":"NaN"}`, base},
		{"a lifetime that is true", "", `{` + minimal + `,"expires_in":true}`, base},
		{"a lifetime that is a list", "", `{` + minimal + `,"expires_in":[3600]}`, base},
		{"a lifetime of ages", "", `{` + minimal + `,"expires_in":1e30}`, lifetime(longest)},
		{"a lifetime beyond float64", "", `{` + minimal + `,"expires_in":1e999}`, lifetime(longest)},
		{"a lifetime far below zero", "", `{` + minimal + `,"expires_in":-1e999}`, base},
		{"a lifetime without an end", "", `{` + minimal + `,"expires_in":"Infinity"}`, lifetime(longest)},
		{"a lifetime of 2^63 seconds", "", `{` + minimal + `,"expires_in":9223372036854775808}`, lifetime(longest)},

		{"the life of a refresh token (GitHub)", "", `{` + minimal + `,"refresh_token_expires_in":86400}`, refreshLifetime(day)},
		{"the life of a refresh token (Keycloak)", "", `{` + minimal + `,"refresh_expires_in":86400}`, refreshLifetime(day)},
		{"the life of a refresh token (Intuit)", "", `{` + minimal + `,"x_refresh_token_expires_in":86400}`, refreshLifetime(day)},
		{"an offline token (Keycloak)", "", `{` + minimal + `,"refresh_expires_in":0}`, base},

		{"no refresh token: empty", "", `{` + minimal + `,"refresh_token":""}`, base},
		{"no refresh token: null", "", `{` + minimal + `,"refresh_token":null}`, base},
		{"a refresh token that is a number", "", `{` + minimal + `,"refresh_token":7}`, base},
		{"a refresh token with escapes", "", `{` + minimal + `,"refresh_token":"a\/b\u002b\n"}`, refresh("a/b+\n")},
		{"a refresh token of 64 KiB", "", `{` + minimal + `,"refresh_token":"` + strings.Repeat("r", 64<<10) + `"}`, refresh(strings.Repeat("r", 64<<10))},

		{"error null", "", `{` + minimal + `,"error":null}`, base},
		{"error empty", "", `{` + minimal + `,"error":""}`, base},
		{"error false", "", `{` + minimal + `,"error":false}`, base},

		{"a member twice: the last counts", "", `{"access_token":"x","access_token":"at","token_type":"Bearer"}`, base},
		{"a member twice in a form", asForm, "access_token=x&access_token=at&token_type=Bearer", base},
		{"a name in another case is another name", "", `{` + minimal + `,"Access_Token":"x"}`, extra("Access_Token", `"x"`)},
		{"members of its own", "", `{` + minimal + `,"ok":[1, {"a" : 1e400}]}`, extra("ok", `[1, {"a" : 1e400}]`)},
		{"a list of scopes is not one", "", `{` + minimal + `,"scope":["x"]}`, base},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(t, c.contentType, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got  %+v\nwant %+v", *got, c.want)
			}
		})
	}
}

func TestAnAnswerThatCannotBeUsedSaysWhy(t *testing.T) {
	for body, want := range map[string]string{
		`{}`: "no access_token",
		`{"access_token":"","token_type":"Bearer"}`:          "no access_token",
		`{"access_token":7,"token_type":"Bearer"}`:           "no access_token",
		`{"access_token":"at"}`:                              "no token_type",
		`{"access_token":"at","token_type":"N_A"}`:           "neither Bearer nor DPoP",
		`{"access_token":"at","token_type":"Bearer\r\nX"}`:   "neither Bearer nor DPoP",
		`{"access_token":"a\r\nX: y","token_type":"Bearer"}`: "no HTTP header can carry",
		`{"access_token":"a b","token_type":"Bearer"}`:       "no HTTP header can carry",
		`{"access_token":"\u00e9","token_type":"Bearer"}`:    "no HTTP header can carry",
		`{"access_token":"a\u0000","token_type":"Bearer"}`:   "no HTTP header can carry",
		`<html>`: "not a JSON object",
		``:       "not a JSON object",
		`"at"`:   "not a JSON object",
		`{"access_token":"at","token_type":"Bearer"}}`: "not a JSON object",
	} {
		t.Run(body, func(t *testing.T) {
			_, err := parse(t, "application/json", body)
			if e := failure(t, err); e.Outcome != tokenendpoint.Lost || !strings.Contains(err.Error(), want) {
				t.Errorf("outcome %d, error %v, want Lost and %q", e.Outcome, err, want)
			}
		})
	}
	t.Run("a form", func(t *testing.T) {
		_, err := parse(t, asForm, "access_token=%zz")
		if e := failure(t, err); e.Outcome != tokenendpoint.Lost || !strings.Contains(err.Error(), "not a form") {
			t.Errorf("outcome %d, error %v", e.Outcome, err)
		}
	})
}

// What nests as deep as encoding/json reads cannot be read any more once it is
// part of a record, and the grant with it.
func TestWhatNestsTooDeepIsLeftOut(t *testing.T) {
	deep := strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999)
	a, err := parse(t, "", `{`+minimal+`,"refresh_token":"rt","deep":`+deep+`,"team":"x"}`)
	if err != nil {
		t.Fatal(err)
	}
	if a.RefreshToken != "rt" || len(a.Extra) != 1 || string(a.Extra["team"]) != `"x"` {
		t.Errorf("extra members %v, want only the team", a.Extra)
	}
}
