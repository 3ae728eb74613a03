package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// Field cases of servers with answers of their own.

func TestFieldCase_modelcontextprotocol_typescript_sdk_1342_AnErrorWithStatus200IsAnError(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		before := w.stored()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 200,
			Body: `{"error":"incorrect_client_credentials","access_token":"not a token","token_type":"bearer"}`}, 1)
		_, err := x.me.Token(t.Context())
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "incorrect_client_credentials" {
			t.Errorf("the error is %v", err)
		}
		if !reflect.DeepEqual(before, w.stored()) {
			t.Error("something of the answer was stored")
		}
	})
}

func TestFieldCase_atlassian_community_83103_TheCodeCountsWhateverTheStatus(t *testing.T) {
	for _, status := range []int{400, 401, 403, 422} {
		inWorld(t, strictFamily, func(t *testing.T, w *world) {
			x := w.start()
			x.login()
			w.expire()
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: status, Body: `{"error":"invalid_grant"}`}, 1)
			_, err := x.me.Token(t.Context())
			if e, ok := errors.AsType[*client.Error](err); !ok || !errors.Is(err, client.ErrLoginRequired) || e.Code != "invalid_grant" {
				t.Errorf("status %d: %v", status, err)
			}
		})
	}
}

// unnested turns answers of a server of its own kind into those of RFC 6749. This
// is all that a program needs for such a server.
func unnested(base http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		if err != nil || !strings.HasSuffix(r.URL.Path, clienttest.TokenPath) {
			return resp, err
		}
		defer resp.Body.Close()
		var answer struct {
			OK    bool           `json:"ok"`
			Error string         `json:"error"`
			User  map[string]any `json:"authed_user"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			return nil, err
		}
		out := answer.User
		if !answer.OK {
			code := map[string]string{"invalid_refresh_token": "invalid_grant"}[answer.Error]
			out = map[string]any{"error": code, "error_description": answer.Error}
		}
		body, err := json.Marshal(out)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp.Header.Set("Content-Type", "application/json")
		return resp, err
	})
}

func TestFieldCase_slackapi_node_slack_sdk_1244_AnswersOfAnotherFormAreReadThroughTheHTTPClient(t *testing.T) {
	inWorld(t, func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
			if x.Path != clienttest.TokenPath {
				return
			}
			user := map[string]any{}
			for name, value := range answer {
				user[name] = value
				delete(answer, name)
			}
			answer["ok"], answer["authed_user"] = true, user
		}
	}, func(t *testing.T, w *world) {
		x := w.start(func(c *client.Config, p *process) { c.HTTPClient = &http.Client{Transport: unnested(p)} })
		x.login()
		for range 2 {
			w.expire()
			x.works("X")
		}
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 200, Body: `{"ok":false,"error":"invalid_refresh_token"}`}, 1)
		if _, err := x.me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) || !strings.Contains(err.Error(), "invalid_refresh_token") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestFieldCase_AzureAD_microsoft_authentication_library_for_python_source_ANewPolicyDoesNotCostTheRefreshToken(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		kept := x.login()
		w.expire()
		const claims = `{"access_token":{"polids":{"essential":true,"values":["9ab03e19"]}}}`
		body, err := json.Marshal(map[string]string{"error": "invalid_grant", "suberror": "basic_action", "claims": claims, "error_description": "AADSTS50076"})
		if err != nil {
			t.Fatal(err)
		}
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 400, Body: string(body)}, 1)
		_, err = x.me.Token(t.Context())
		if !errors.Is(err, client.ErrLoginRequired) || !strings.Contains(err.Error(), "basic_action") || !strings.Contains(err.Error(), claims) {
			t.Errorf("the error is %v", err)
		}
		if w.stored().RefreshToken != kept {
			t.Error("the refresh token is gone")
		}
		if _, err := x.me.Refresh(t.Context(), nil); err != nil {
			t.Errorf("the policy is met, and Refresh fails: %v", err)
		}
		time.Sleep(3 * time.Second)
		x.works("X")
		if n := w.as.Presented(kept); n != 2 {
			t.Errorf("the refresh token was sent %d times", n)
		}
	})
}

func TestFieldCase_XeroAPI_Xero_NetStandard_271_ALostAnswerIsAskedForAgainWhileTheServerStillGivesIt(t *testing.T) {
	for name, set := range map[string]func(*clienttest.Options){
		"for thirty seconds":  grace(30 * time.Second),
		"the same pair":       func(o *clienttest.Options) { o.Grace, o.InGrace = 30*time.Second, clienttest.SamePair },
		"one slot":            oneSlot,
		"until the first use": func(o *clienttest.Options) { o.Rotation = clienttest.CommitOnUse },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, set, func(t *testing.T, w *world) {
				x := w.start()
				spent := x.login()
				w.expire()
				w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 1)
				x.works("X")
				w.expire()
				x.works("X")
				if n := w.as.Presented(spent); n != 2 || w.as.Reused() != 0 {
					t.Errorf("the refresh token was sent %d times; %d refused as reuse", n, w.as.Reused())
				}
			})
		})
	}
}
