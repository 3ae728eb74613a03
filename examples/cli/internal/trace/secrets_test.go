package trace_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/regrant/regrant/examples/cli/internal/trace"
	"github.com/regrant/regrant/internal/canary"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// notations are how a server may write what it was sent.
var notations = map[string]func(string) string{
	"as it is":                    func(s string) string { return s },
	"in upper case":               strings.ToUpper,
	"its middle":                  func(s string) string { return "…" + s[3:12] + "…" },
	"with an invisible character": func(s string) string { return s[:7] + "\u200b" + s[7:] },
	"with a control sequence":     func(s string) string { return s[:7] + "\x1b[0m" + s[7:] },
	"as a URL":                    func(s string) string { return strings.ReplaceAll(s, "r", "%72") },
	"as JSON":                     func(s string) string { return strings.NewReplacer("r", `\u0072`, "4", `\u0034`).Replace(s) },
	"as HTML in JSON":             func(s string) string { return strings.NewReplacer("r", `\u0026#114;`, "4", `\u0026#52;`).Replace(s) },
	"as HTML":                     func(s string) string { return html.EscapeString(strings.ReplaceAll("<"+s, "r", "&#114;")) },
	"in hexadecimal":              func(s string) string { return hex.EncodeToString([]byte(s)) },
	"in Base64":                   func(s string) string { return base64.StdEncoding.EncodeToString([]byte("it is " + s)) },
	"as HTTP Basic":               func(s string) string { return base64.StdEncoding.EncodeToString([]byte("me:" + s)) },
}

// places are where a server says something that a trace shows.
var places = map[string]func(resp *http.Response, echo string){
	"the status": func(resp *http.Response, echo string) { resp.Status = "401 " + echo },
	"a challenge": func(resp *http.Response, echo string) {
		resp.Header.Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="what is `+echo+`?"`)
	},
	"a location": func(resp *http.Response, echo string) {
		resp.Header.Set("Location", "https://api.example.com/"+url.PathEscape(echo))
	},
	"a query's name": func(resp *http.Response, echo string) {
		resp.Header.Set("Location", "https://api.example.com/?"+url.QueryEscape(echo)+"=1")
	},
	"a content type":  func(resp *http.Response, echo string) { resp.Header.Set("Content-Type", "text/"+echo) },
	"a date":          func(resp *http.Response, echo string) { resp.Header.Set("Date", echo) },
	"a delay":         func(resp *http.Response, echo string) { resp.Header.Set("Retry-After", echo) },
	"a description":   func(resp *http.Response, echo string) { say(resp, "error_description", echo) },
	"a scope":         func(resp *http.Response, echo string) { say(resp, "scope", "openid "+echo) },
	"an endpoint":     func(resp *http.Response, echo string) { say(resp, "token_endpoint", "https://as.example.com/"+echo) },
	"a member's name": func(resp *http.Response, echo string) { say(resp, echo, "x") },
}

// say answers with an object. What is JSON already stays as it is.
func say(resp *http.Response, name, value string) {
	quote := func(s string) string {
		text, _ := json.Marshal(s)
		return strings.ReplaceAll(string(text), `\\u`, `\u`)
	}
	resp.Body = io.NopCloser(strings.NewReader("{" + quote(name) + ":" + quote(value) + "}"))
}

func TestNothingThatAServerRepeatsIsASecretInTheTrace(t *testing.T) {
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+canary.Secret) }
	for where, put := range map[string]func(*http.Request){
		"a bearer token":             bearer,
		"the password of HTTP Basic": func(r *http.Request) { r.SetBasicAuth("me", canary.Secret) },
		"a token in its place":       func(r *http.Request) { r.SetBasicAuth(canary.Secret, "") },
		"an escaped password":        func(r *http.Request) { r.SetBasicAuth("me", strings.ReplaceAll(canary.Secret, "4", "%34")) },
		"another header":             func(r *http.Request) { r.Header.Set("X-Api-Key", canary.Secret) },
		"a form": func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = io.NopCloser(strings.NewReader("grant_type=refresh_token&refresh_token=" + canary.Secret))
		},
	} {
		for notation, write := range notations {
			for place, spoil := range places {
				var shown strings.Builder
				rt := trace.Server(roundTripper(func(r *http.Request) (*http.Response, error) {
					resp := &http.Response{Status: "401 Unauthorized", StatusCode: 401, Header: http.Header{}, Body: http.NoBody, Request: r}
					spoil(resp, write(canary.Secret))
					return resp, nil
				}), &shown)
				exchange(t, rt, put)
				if canary.In(shown.String()) || !strings.Contains(shown.String(), "[not shown: it repeats a secret]") {
					t.Errorf("%s, repeated in %s %s:\n%s", where, place, notation, &shown)
				}
			}
		}
	}
}

func exchange(t *testing.T, rt http.RoundTripper, put func(*http.Request)) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://as.example.com/token", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	put(r)
	resp, err := rt.RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
	}
}

func TestAnErrorOnTheWayThatRepeatsATokenIsNotShown(t *testing.T) {
	var shown strings.Builder
	rt := trace.API(roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("malformed HTTP response \"" + canary.Secret + "\"")
	}), &shown)
	exchange(t, rt, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+canary.Secret) })
	if canary.In(shown.String()) {
		t.Errorf("the trace is\n%s", &shown)
	}
}

func TestATokenOfAnEarlierAnswerIsKnownLater(t *testing.T) {
	for name, answer := range map[string]string{
		"itself":       `{"access_token":"%s","scope":"%[1]s"}`,
		"a nested one": `{"authed_user":{"access_token":"%s"},"scope":"%[1]s"}`,
	} {
		var shown strings.Builder
		rt := trace.Server(roundTripper(func(r *http.Request) (*http.Response, error) {
			body := fmt.Sprintf(answer, canary.Secret)
			if r.Header.Get("X-Later") != "" {
				body = `{"error_description":"` + canary.Secret + `"}`
			}
			return &http.Response{Status: "200 OK", Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		}), &shown)
		exchange(t, rt, func(*http.Request) {})
		exchange(t, rt, func(r *http.Request) { r.Header.Set("X-Later", "1") })
		// and where a server sends us
		exchange(t, rt, func(r *http.Request) { r.URL.Path = "/" + canary.Secret })
		if canary.In(shown.String()) {
			t.Errorf("%s: the trace is\n%s", name, &shown)
		}
	}
}

// Of what is harmless nothing is hidden, or nobody could read a trace.
func TestAnHonestExchangeIsShown(t *testing.T) {
	var shown strings.Builder
	rt := trace.Server(roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			Status: "401 Unauthorized", Body: io.NopCloser(strings.NewReader(`{"error":"invalid_client","error_description":"the client me is unknown",
				"authorization_endpoint":"https://as.example.com/authorize","check_session_iframe":"https://as.example.com/session"}`)),
			Header: http.Header{"Www-Authenticate": {`Bearer realm="as"`}, "Content-Type": {"application/json"}},
		}, nil
	}), &shown)
	for range 2 {
		exchange(t, rt, func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer realistic.token")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = io.NopCloser(strings.NewReader("grant_type=authorization_code&redirect_uri=https%3A%2F%2Fas.example.com%2F&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
		})
	}
	if strings.Contains(shown.String(), "repeats") || !strings.Contains(shown.String(), `Bearer realm="as"`) || !strings.Contains(shown.String(), "the client me is unknown") {
		t.Errorf("the trace is\n%s", &shown)
	}
}
