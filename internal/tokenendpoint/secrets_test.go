package tokenendpoint_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// secrets are what the request of these tests holds that nobody may see, in the
// notations in which it was sent.
func secrets() []string {
	_, header := request()
	_, credentials, _ := strings.Cut(header.Get("Authorization"), " ")
	return []string{refreshToken, clientSecret, url.QueryEscape(clientSecret), credentials}
}

// leaked returns what text shows of the secrets: eight bytes in a row, at least.
func leaked(text string) string {
	for _, secret := range secrets() {
		for i := 0; i+8 <= len(secret); i++ {
			if strings.Contains(text, secret[i:i+8]) {
				return secret[i : i+8]
			}
		}
	}
	return ""
}

// checkText fails if err shows a secret, in any notation of package fmt, or what
// a terminal would obey.
func checkText(t *testing.T, err error) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
		if part := leaked(fmt.Sprintf(verb, err)); part != "" {
			t.Errorf("%s shows %q of a secret: %v", verb, part, err)
		}
	}
	for _, r := range err.Error() {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			t.Errorf("the error holds the control character %U: %q", r, err)
		}
	}
	if n := len(err.Error()); n > 4000 {
		t.Errorf("the error has %d bytes", n)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestFieldCase_golang_oauth2_internal_token_go_AServerThatEchoesTheRequestPutsNothingIntoTheError(t *testing.T) {
	form, header := request()
	plain := "grant_type=refresh_token&refresh_token=" + refreshToken + "&client_secret=" + clientSecret
	for name, echo := range map[string]string{
		"the form":                     form.Encode(),
		"the form in clear":            plain,
		"the form with a stray escape": "100% wrong: " + url.QueryEscape(plain),
		"the form as HTML":             html.EscapeString(plain),
		"the form as JSON in a string": quoted(plain),
		"an escape of each character":  strings.NewReplacer("r", `\u0072`, "t", "%74", "9", "&#57;").Replace(refreshToken),
		"the Authorization header":     header.Get("Authorization"),
		"the secret":                   clientSecret,
		"the secret as it was encoded": url.QueryEscape(clientSecret),
		"the secret as a path":         url.PathEscape(clientSecret),
		"half of the refresh token":    "expired: " + refreshToken[5:],
		"the middle of it":             "expired: …" + refreshToken[4:14] + "…",
		"invisible characters in it":   "expired: " + refreshToken[:9] + "\u200b" + refreshToken[9:],
		"it behind a long text":        strings.Repeat("no ", 62) + refreshToken,
	} {
		for where, body := range map[string]string{
			"error":             `{"error":` + quoted(echo) + `}`,
			"error_description": `{"error":"invalid_grant","error_description":` + quoted(echo) + `}`,
			"suberror":          `{"error":"invalid_grant","suberror":` + quoted(echo) + `}`,
			"claims":            `{"error":"invalid_grant","claims":` + quoted(echo) + `}`,
			"a page":            "<html>" + echo,
		} {
			for _, status := range []int{200, 400, 429, 500} {
				t.Run(fmt.Sprint(name, " in ", where, " ", status), func(t *testing.T) {
					_, err := rfc6749.Post(t.Context(), canned(status, "application/json", body), "https://as.example.com", form, header)
					checkText(t, err)
					if where == "error_description" && !strings.Contains(err.Error(), "repeats a credential") {
						t.Errorf("the echo was not noticed: %v", err)
					}
				})
			}
		}
	}
}

// Of these passwords no part is long enough to be noticed by itself.
func TestAPasswordIsNoticedWhateverStandsForItsSpaces(t *testing.T) {
	for password, echoes := range map[string][]string{
		"correct horse and staple": {
			"correct horse and staple", "correct+horse+and+staple", "correct%20horse%20and%20staple", `correct\\u0020horse`, "correct&#32;horse",
		},
		"ab+cd ef+gh ij+kl": {"ab%2Bcd+ef%2Bgh+ij%2Bkl", "ab+cd%20ef+gh%20ij+kl"},
		"horse":             {"horse", "h%6frse"},
	} {
		form := url.Values{"grant_type": {"password"}, "password": {password}}
		for _, echo := range echoes {
			_, err := rfc6749.Post(t.Context(), canned(400, "", `{"error":"invalid_grant","error_description":"wrong: `+echo+`"}`), "https://as.example.com", form, nil)
			if !strings.Contains(err.Error(), "repeats a credential") {
				t.Errorf("the error repeats %q: %v", echo, err)
			}
		}
	}
}

func TestWhatTheServerSaysIsToldIfItIsHarmless(t *testing.T) {
	form, header := request()
	_, err := rfc6749.Post(t.Context(), canned(400, "application/json",
		`{"error":"invalid_grant","error_description":"AADSTS50076: use multi-factor\r\nauthentication","suberror":"basic_action",`+
			`"claims":"{\"access_token\":{\"capolids\":{\"essential\":true}}}"}`),
		"https://as.example.com", form, header)
	const want = `the server answered invalid_grant (AADSTS50076: use multi-factor authentication; suberror basic_action; ` +
		`claims {"access_token":{"capolids":{"essential":true}}})`
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v, want\n%s", err, want)
	}
}

// A short or well-known secret must not turn one refusal into another.
func TestACodeStaysWhatItIsWhateverTheSecret(t *testing.T) {
	for _, secret := range []string{"a", "client", "invalid_client_secret", "invalid_grant"} {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {secret}, "client_secret": {secret}}
		_, err := rfc6749.Post(t.Context(), canned(400, "", `{"error":"invalid_client"}`), "https://as.example.com", form, nil)
		if e := failure(t, err); e.Code != "invalid_client" {
			t.Errorf("with the secret %q the code is %q", secret, e.Code)
		}
	}
}

func canned(status int, contentType, body string) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
			Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}
}

// wire is a transport to a server that answers every request with these bytes.
func wire(answer string) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				if receive(bufio.NewReader(theirs)) == nil {
					_, _ = io.WriteString(theirs, answer)
				}
			}()
			return ours, nil
		},
	}
}

func TestAnAnswerThatIsNotHTTPPutsNothingIntoTheError(t *testing.T) {
	form, header := request()
	for name, answer := range map[string]string{
		"the form":                     form.Encode() + "\r\n\r\n",
		"the form as the version":      "HTTP/" + refreshToken + " 200 OK\r\n\r\n",
		"the form as the status":       "HTTP/1.1 " + refreshToken + " OK\r\n\r\n",
		"the form as a header":         "HTTP/1.1 200 OK\r\n" + clientSecret + "\r\n\r\n",
		"the form as a length":         "HTTP/1.1 200 OK\r\nContent-Length: " + refreshToken + "\r\n\r\n",
		"the form as an encoding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + refreshToken + "\r\n\r\n",
		"the Authorization header":     "HTTP/1.1 200 OK\r\n" + header.Get("Authorization") + "\r\n\r\n",
		"what a terminal would obey":   "\x1b]0;title\x07\x1b[2J\r\n\r\n",
		"the form as a trailer":        "HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + refreshToken + "\r\n\r\n",
		"the form as an odd redirect":  "HTTP/1.1 307 No\r\nLocation: :" + refreshToken + "\r\nContent-Length: 0\r\n\r\n",
		"the form as the phrase":       "HTTP/1.1 418 " + refreshToken + "\r\nContent-Length: 0\r\n\r\n",
		"the form as the content type": "HTTP/1.1 200 OK\r\nContent-Type: " + refreshToken + "\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rfc6749.Post(t.Context(), wire(answer), "http://as.example.com", form, header)
			checkText(t, err)
		})
	}
}

// FuzzEcho: whatever of the form a server repeats, wherever, and in whatever
// notation, no eight bytes of a secret in a row are in the error.
func FuzzEcho(f *testing.F) {
	notations := []func(string) string{
		func(s string) string { return s },
		url.QueryEscape,
		url.PathEscape,
		html.EscapeString,
		quoted,
		func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		func(s string) string { return strings.ToLower(url.QueryEscape(s)) },
	}
	f.Add(uint8(0), uint8(0), uint8(0), uint8(20), uint8(0), "", "", 400)
	f.Add(uint8(1), uint8(1), uint8(2), uint8(30), uint8(1), "the ", "%zz", 200)
	f.Add(uint8(3), uint8(3), uint8(0), uint8(99), uint8(2), "\x1b[", "\u200b", 500)
	f.Add(uint8(0), uint8(2), uint8(0), uint8(99), uint8(4), "HTTP/1.1 ", "\r\n", 429)
	f.Fuzz(func(t *testing.T, which, notation, from, to, where uint8, before, after string, status int) {
		list := secrets()
		secret := list[int(which)%len(list)]
		i, j := int(from)%len(secret), int(to)%(len(secret)+1)
		echo := before + notations[int(notation)%len(notations)](secret[min(i, j):max(i, j)]) + after
		if leaked(before+after) != "" {
			t.Skip("the fuzzer has found the secret by itself")
		}
		status = 200 + (status%400+400)%400
		body := quoted(echo)
		switch where % 6 {
		case 0:
			body = `{"error":` + body + `}`
		case 1:
			body = `{"error":"invalid_grant","error_description":` + body + `}`
		case 2:
			body = `{"error":"x","suberror":` + body + `,"claims":` + body + `}`
		case 3:
			body = echo
		case 4:
			body = `{"access_token":` + body + `,"token_type":` + body + `,"expires_in":` + body + `}`
		}
		base := http.RoundTripper(canned(status, "", body))
		if where%6 == 5 {
			base = wire(echo)
		}
		form, header := request()
		_, err := rfc6749.Post(t.Context(), base, "http://as.example.com", form, header)
		if err == nil {
			return
		}
		checkText(t, err)
	})
}
