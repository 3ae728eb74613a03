package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/canary"
)

type prompt = oauth2.DeviceAuthResponse

// approving is a user who does at once what the device shows.
func approving(as *clienttest.Server) client.Device {
	return client.Device{Show: func(_ context.Context, p *prompt) error { return as.ApproveDevice(p.UserCode, "alice") }}
}

// ignored is a user who does nothing.
func ignored(context.Context, *prompt) error { return nil }

// tamper changes the answers of path.
func tamper(as *clienttest.Server, path string, change func(x clienttest.Exchange, answer map[string]any)) {
	as.Set(func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.Path == path {
				change(x, answer)
			}
		}
	})
}

func TestADeviceLoginShowsTheUserWhereToGoAndWhatToEnter(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		me := accountOf(t, as.Config())
		begun := time.Now()
		var shown prompt
		err := me.Login(t.Context(), client.Device{Show: func(_ context.Context, p *prompt) error {
			shown = *p
			return as.ApproveDevice(p.UserCode, "alice")
		}})
		wantSignedIn(t, as, me, err)
		if shown.VerificationURI != as.URL(clienttest.VerifyPath) || shown.UserCode == "" ||
			!strings.HasPrefix(shown.VerificationURIComplete, shown.VerificationURI) {
			t.Errorf("shown: %+v", shown)
		}
		if shown.DeviceCode != "" {
			t.Error("the device code, which is a secret, was shown")
		}
		if got := shown.Expiry.Sub(begun); got != 10*time.Minute {
			t.Errorf("the code expires in %v, want what the server said", got)
		}
		if shown.Interval != 5 {
			t.Errorf("Interval %d, want 5", shown.Interval)
		}
	})
}

func TestADeviceLoginAsksForScopesAndParameters(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		as.Set(func(o *clienttest.Options) { o.Resources = []string{"https://api.example"} })
		cfg := as.Config()
		cfg.Params = url.Values{"audience": {"api"}, "resource": {"https://api.example"}}
		me := accountOf(t, cfg)
		flow := approving(as)
		flow.Scopes = []string{"profile"}
		flow.Params = url.Values{"acr_values": {"gold"}}
		wantSignedIn(t, as, me, me.Login(t.Context(), flow))
		form := requestsTo(as, clienttest.DevicePath)[0].Form
		want := url.Values{"client_id": {clienttest.PublicClient}, "scope": {"openid offline_access profile"},
			"audience": {"api"}, "resource": {"https://api.example"}, "acr_values": {"gold"}}
		if form.Encode() != want.Encode() {
			t.Errorf("device authorization request %v, want %v", form, want)
		}
		if got := requestsTo(as, clienttest.TokenPath)[0].Form["resource"]; len(got) != 1 {
			t.Errorf("the token request has resource %q, which has to go with every one (RFC 8707 section 2.2)", got)
		}
	})
}

func TestAConfidentialDeviceAuthenticatesAtBothEndpoints(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		me := accountOf(t, as.ConfidentialConfig())
		wantSignedIn(t, as, me, me.Login(t.Context(), approving(as)))
		for _, path := range []string{clienttest.DevicePath, clienttest.TokenPath} {
			if x := requestsTo(as, path)[0]; x.Header.Get("Authorization") == "" || x.ClientID != clienttest.ConfidentialClient {
				t.Errorf("%s: the client %q has authenticated as %q", path, x.ClientID, x.Header.Get("Authorization"))
			}
		}
	})
}

// The user code and the URIs come over the network and go to a terminal, which
// obeys what it is sent.
func TestADevicePromptIsSafeForATerminal(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		tamper(as, clienttest.DevicePath, func(_ clienttest.Exchange, answer map[string]any) {
			answer["user_code"] = "\x1b]0;owned\x07\x1b[2JWDJB\u202e-MJHT\r\n" + strings.Repeat("x", 10000)
		})
		me := accountOf(t, as.Config())
		stop := errors.New("seen enough")
		err := me.Login(t.Context(), client.Device{Show: func(_ context.Context, p *prompt) error {
			if !strings.HasPrefix(p.UserCode, "WDJB-MJHT x") || len([]rune(p.UserCode)) > 64 {
				t.Errorf("UserCode %q", p.UserCode)
			}
			return stop
		}})
		if !errors.Is(err, stop) {
			t.Errorf("Login returned %v, want the error of Show", err)
		}
	})
}

func TestADeviceSendsTheUserToASafeURIOnly(t *testing.T) {
	for _, uri := range []string{
		"http://as.example/device", "javascript:alert(1)", "file:///etc/passwd", "ssh://as.example", "/device", "as.example/device",
		"https://", "https://user:password@as.example/", "https://as.example/#fragment", "https://as.example/\x1b[2J",
		"https://as.example/\u202ecod", "https://аs.example/", "https://as.example/a b", "https://as.example/?" + strings.Repeat("x", 300<<10),
	} {
		for _, member := range []string{"verification_uri", "verification_uri_complete"} {
			t.Run(member+" "+uri[:min(len(uri), 40)], func(t *testing.T) {
				inBubble(t, func(t *testing.T, as *clienttest.Server) {
					tamper(as, clienttest.DevicePath, func(_ clienttest.Exchange, answer map[string]any) { answer[member] = uri })
					me := accountOf(t, as.Config())
					err := me.Login(t.Context(), client.Device{Show: func(context.Context, *prompt) error {
						t.Error("the user was sent there")
						return nil
					}})
					wantNoLogin(t, me, err, "", member)
					if n := as.Requests(clienttest.TokenPath); n != 0 {
						t.Errorf("%d polls, want none", n)
					}
				})
			})
		}
	}
}

func TestADeviceMayBeSentToLoopbackAndToGooglesSpelling(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		tamper(as, clienttest.DevicePath, func(_ clienttest.Exchange, answer map[string]any) {
			delete(answer, "verification_uri")
			delete(answer, "verification_uri_complete")
			answer["verification_url"] = "http://127.0.0.1:8080/device"
		})
		me := accountOf(t, as.Config())
		wantSignedIn(t, as, me, me.Login(t.Context(), client.Device{Show: func(_ context.Context, p *prompt) error {
			if p.VerificationURI != "http://127.0.0.1:8080/device" || p.VerificationURIComplete != "" {
				t.Errorf("shown %+v", p)
			}
			return as.ApproveDevice(p.UserCode, "alice")
		}}))
	})
}

func TestADeviceLoginFailsAtAnUnusableAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		fault      clienttest.Fault
		code, text string
		temporary  bool
	}{
		"refused":          {pollFault(400, "unauthorized_client"), "unauthorized_client", "unauthorized_client", false},
		"refused with 200": {pollFault(200, "invalid_scope"), "invalid_scope", "invalid_scope", false},
		"down":             {clienttest.Fault{Status: 503}, "", "503", true},
		"no JSON":          {clienttest.Fault{Body: "<html>"}, "", "not a JSON object", true},
		"empty object":     {clienttest.Fault{Body: "{}"}, "", "device_code", true},
		"no user code":     {clienttest.Fault{Body: `{"device_code":"d","verification_uri":"https://as.example/"}`}, "", "user_code", true},
		"no URI":           {clienttest.Fault{Body: `{"device_code":"d","user_code":"u"}`}, "", "verification_uri", true},
		"invisible code":   {clienttest.Fault{Body: `{"device_code":"d","user_code":"\u001b[2J","verification_uri":"https://as.example/"}`}, "", "user_code", false},
		"too long":         {clienttest.Fault{Pad: 2 << 20}, "", "1 MiB", true},
		"redirect":         {clienttest.Fault{Status: 307, Header: http.Header{"Location": {"https://as.example/token"}}}, "", "307", true},
		"no answer":        {clienttest.Fault{Delay: time.Hour}, "", "no answer in time", true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.FailNext(clienttest.DevicePath, c.fault, 1)
				me := accountOf(t, as.Config())
				begun := time.Now()
				err := me.Login(t.Context(), client.Device{Show: func(context.Context, *prompt) error {
					t.Error("something was shown")
					return nil
				}})
				wantNoLogin(t, me, err, c.code, c.text)
				if e, _ := errors.AsType[*client.Error](err); e.Temporary != c.temporary {
					t.Errorf("Temporary %v, want %v, in %v", e.Temporary, c.temporary, err)
				}
				if took := time.Since(begun); took > 30*time.Second || as.Requests(clienttest.TokenPath) != 0 {
					t.Errorf("after %v and %d polls", took, as.Requests(clienttest.TokenPath))
				}
			})
		})
	}
}

// There are servers that quote the whole request in error_description.
func TestNoErrorHoldsTheDeviceCode(t *testing.T) {
	for _, code := range []string{"invalid_grant", "access_denied", "expired_token"} {
		t.Run(code, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				var deviceCode string
				as.Set(func(o *clienttest.Options) {
					o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
						switch x.Path {
						case clienttest.DevicePath:
							deviceCode = answer["device_code"].(string)
						case clienttest.TokenPath:
							answer["error"] = code
							answer["error_description"] = "no such thing: " + x.Form.Encode()
						}
					}
				})
				me := accountOf(t, as.Config())
				err := me.Login(t.Context(), client.Device{Show: ignored})
				wantNoLogin(t, me, err, code)
				for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
					if strings.Contains(text, deviceCode[:8]) {
						t.Errorf("the error holds the device code: %s", text)
					}
				}
			})
		})
	}
}

func TestAServerWithoutADeviceEndpointIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		tamper(as, clienttest.DiscoveryPath, func(_ clienttest.Exchange, m map[string]any) { delete(m, "device_authorization_endpoint") })
		me := accountOf(t, as.Config())
		wantNoLogin(t, me, me.Login(t.Context(), client.Device{Show: ignored}), "", "no device authorization endpoint", "another flow")
	})
}

func TestADeviceLoginWithoutARefreshTokenSaysWhatToSet(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		as.Set(func(o *clienttest.Options) { o.NoOfflineAccess = true })
		me := accountOf(t, as.Config())
		wantNoLogin(t, me, me.Login(t.Context(), approving(as)), "", "no refresh token", "offline_access")
	})
}

// FuzzDeviceAnswer: whatever a device authorization endpoint answers, what Show
// gets is one line of visible text, web addresses, and times within bounds; and
// neither it nor an error holds the device code.
func FuzzDeviceAnswer(f *testing.F) {
	const code = `{"device_code":"` + canary.Secret + `",`
	for _, body := range []string{
		code + `"user_code":"WDJB-MJHT","verification_uri":"https://as.example/device","expires_in":900}`,
		code + `"user_code":"WDJB-MJHT","verification_url":"https://www.google.com/device","expires_in":1800,"interval":5}`,
		code + `"user_code":"\u001b[2Jx","verification_url":"http://127.0.0.1/","interval":1e99,"expires_in":"0x1p-3"}`,
		code + `"user_code":"HDPC","verification_uri":"https://microsoft.com/devicelogin","expires_in":"900","interval":"5","message":"To sign in, use a web browser"}`,
		code + `"user_code":"\u202eDCBA\u200b","verification_uri":"javascript:alert(1)","verification_uri_complete":"https://as.example/device?user_code=\u202e"}`,
		code + `"error":"slow_down","error_description":"no"}`,
		`device_code=` + canary.Secret + `&user_code=a&verification_uri=https%3A%2F%2Fas.example&interval=7`,
		`{"device_code":["` + canary.Secret + `"]}`, `null`, `[`, ``,
	} {
		f.Add(200, "application/json", []byte(body))
	}
	f.Add(400, "text/plain", []byte("error=access_denied"))
	base := clienttest.NewMemoryServer(f).Config()
	base.Endpoint = oauth2.Endpoint{DeviceAuthURL: "https://as.example/device", TokenURL: "https://as.example/token"}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		if status < 100 || status > 999 {
			t.Skip("net/http knows no such status")
		}
		synctest.Test(t, func(t *testing.T) {
			cfg := base
			cfg.HTTPClient = &http.Client{Transport: answering(status, contentType, body)}
			stop := errors.New("shown")
			err := accountOf(t, cfg).Login(t.Context(), client.Device{Show: func(_ context.Context, p *prompt) error {
				checkPrompt(t, p)
				return stop
			}})
			if err == nil {
				t.Error("Login succeeded")
			}
			// A server may put the code where the user sees it; that is its own fault.
			elsewhere := strings.ReplaceAll(string(body), `{"device_code":"`+canary.Secret+`",`, "")
			if !errors.Is(err, stop) && json.Valid(body) && !canary.In(elsewhere) && canary.Shown(err) != "" {
				t.Errorf("the error holds the device code: %v", err)
			}
		})
	})
}

func checkPrompt(t *testing.T, p *prompt) {
	t.Helper()
	if p.DeviceCode != "" {
		t.Errorf("DeviceCode %q", p.DeviceCode)
	}
	if p.UserCode == "" || len([]rune(p.UserCode)) > 64 || strings.ContainsFunc(p.UserCode, func(r rune) bool { return r != ' ' && !isVisible(r) }) {
		t.Errorf("UserCode %q", p.UserCode)
	}
	for _, uri := range []string{p.VerificationURI, p.VerificationURIComplete} {
		u, err := url.Parse(uri)
		switch {
		case uri == "" && p.VerificationURI != "":
		case err != nil, u.Hostname() == "", u.Scheme != "https" && u.Scheme != "http", strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' }):
			t.Errorf("URI %q", uri)
		}
	}
	if p.Interval < 1 || p.Interval > 60 || p.Expiry.After(time.Now().Add(30*time.Minute)) || p.Expiry.Before(time.Now()) {
		t.Errorf("Interval %d, Expiry %v", p.Interval, p.Expiry)
	}
}

// isVisible is a rough one, for what no terminal may get.
func isVisible(r rune) bool {
	return r > ' ' && (r < 0x7f || r > 0x9f) && r != '\u2028' && r != '\u2029' && (r < '\u200b' || r > '\u200f') && (r < '\u202a' || r > '\u202e')
}
