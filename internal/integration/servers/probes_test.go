package servers_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
)

// What a server is said not to offer is looked for at the server. Each of these tells
// whether it is missing.

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628 section 3.4

func noPassword(_ *testing.T, r *running) bool { return !r.knows("password") }

// noDevice does not rely on metadata alone, which leave out what works.
func noDevice(_ *testing.T, r *running) bool {
	return r.metadata()["device_authorization_endpoint"] == nil && !r.knows(deviceGrant)
}

// knows tells whether the token endpoint treats a grant type otherwise than one that
// nobody has. hydra does not say unsupported_grant_type (RFC 6749 section 5.2).
func (r *running) knows(grantType string) bool {
	r.t.Helper()
	ask := func(grantType string) string {
		status, a := r.post("token_endpoint", url.Values{
			"grant_type": {grantType}, "username": {"alice"}, "password": {"wonderland"}, "device_code": {"none"},
		})
		return fmt.Sprint(status, " ", a.Error)
	}
	unknown := ask("urn:example:nobody-has-it")
	if !strings.HasPrefix(unknown, "400 ") {
		r.t.Errorf("to an unknown grant type the server says %q", unknown)
	}
	return ask(grantType) != unknown
}

// refusalStrands: the browser of a user who refuses ends at a page of the server.
func refusalStrands(t *testing.T, r *running) (stranded bool) {
	err := r.program(nil).ask(client.Paste{Read: func(_ context.Context, page string) (string, error) {
		stranded = r.refuse(t, page, wish{deny: true, stay: true}) == ""
		return "", errors.New("there is nothing to paste")
	}})
	if err == nil {
		t.Error("a login that was refused brings a grant")
	}
	return stranded
}

// refuse lets the user refuse, who may end at a page that is an error.
func (r *running) refuse(t *testing.T, page string, w wish) (callback string) {
	t.Helper()
	callback, err := r.user(t, page, w)
	if err != nil && !strings.Contains(err.Error(), "ended at "+r.issuer) {
		t.Error(err)
	}
	t.Logf("the user has refused, and is sent to %q, %v", callback, err)
	return callback
}

// refusalUnheard: the device of a user who refuses goes on waiting (RFC 8628 section 3.5).
func refusalUnheard(t *testing.T, r *running) bool {
	if noDevice(t, r) {
		return true
	}
	_, device := r.post("device_authorization_endpoint", url.Values{"scope": {"openid"}})
	r.refuse(t, device.VerificationURI, wish{deny: true, code: device.UserCode})
	for range 2 {
		time.Sleep(time.Duration(cmp.Or(device.Interval, 5)) * time.Second)
		_, a := r.post("token_endpoint", url.Values{"grant_type": {deviceGrant}, "device_code": {device.DeviceCode}})
		if a.Error != "authorization_pending" {
			return false
		}
	}
	return true
}

// noGrace: a spent refresh token is refused at once.
func noGrace(t *testing.T, r *running) bool {
	p := r.program(nil)
	p.login()
	spent := p.stored().RefreshToken
	if _, ok := r.refresh(spent); !ok {
		t.Error("the token cannot be spent")
	}
	_, again := r.refresh(spent)
	return !again
}

// keepsSecrets: a client that has registered itself keeps its secret through every
// change (RFC 7592 section 2.2), also if it has needed none for a while.
func keepsSecrets(t *testing.T, r *running) bool {
	metadata := map[string]any{
		"application_type": "native", "redirect_uris": []string{r.confidential.RedirectURL},
		"token_endpoint_auth_method": "client_secret_basic",
	}
	first := r.register(http.MethodPost, r.endpoint("registration_endpoint"), "", metadata)
	metadata["client_id"] = first.ID
	last := first
	for _, method := range []string{"none", "client_secret_basic"} {
		metadata["token_endpoint_auth_method"] = method
		last = r.register(http.MethodPut, last.URI, last.Token, metadata)
		if last.Method != method {
			t.Errorf("the client has not become one of %s, but of %q", method, last.Method)
		}
	}
	return first.Secret != "" && last.Secret == first.Secret
}

// A registration is of a client that registers itself (RFC 7591 section 3.2.1).
type registration struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
	Method string `json:"token_endpoint_auth_method"`
	URI    string `json:"registration_client_uri"`
	Token  string `json:"registration_access_token"`
}

func (r *running) register(method, url, token string, metadata map[string]any) (reg registration) {
	r.t.Helper()
	body, err := json.Marshal(metadata)
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&reg); err != nil || resp.StatusCode/100 != 2 {
		r.t.Fatalf("%s %s: %s, %v", method, url, resp.Status, err)
	}
	return reg
}
