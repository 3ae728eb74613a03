package clienttest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

func startDevice(t *testing.T, s *clienttest.Server) (start reply, poll func() reply) {
	t.Helper()
	start = post(t, s, clienttest.DevicePath, url.Values{"client_id": {"test-client"}, "scope": {"openid offline_access"}})
	if start.Status != 200 {
		t.Fatalf("the device endpoint answered %d %s", start.Status, start.Body)
	}
	return start, func() reply {
		t.Helper()
		return post(t, s, clienttest.TokenPath, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"test-client"}, "device_code": {start.text("device_code")},
		})
	}
}

func TestADeviceWaitsForItsUser(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		start, poll := startDevice(t, s)
		if start.JSON["interval"] != 5.0 || start.JSON["expires_in"] != 600.0 || !strings.HasPrefix(start.text("verification_uri"), s.Issuer()) {
			t.Errorf("the device endpoint answered %s", start.Body)
		}
		wantError(t, poll(), 400, "authorization_pending")
		time.Sleep(5 * time.Second)
		if err := s.ApproveDevice(strings.ToLower(strings.ReplaceAll(start.text("user_code"), "-", " ")), "bob"); err != nil {
			t.Fatal(err)
		}
		r := poll()
		if r.text("refresh_token") == "" || s.LiveRefreshToken("bob") != r.text("refresh_token") {
			t.Errorf("answer %d %s", r.Status, r.Body)
		}
		time.Sleep(5 * time.Second)
		wantError(t, poll(), 400, "invalid_grant")
		if s.FamilyAlive("bob") {
			t.Error("a device code that was used twice did not revoke its tokens")
		}
	})
}

func TestADeviceThatPollsTooFastMustSlowDownForGood(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		_, poll := startDevice(t, s)
		for _, step := range []struct {
			after time.Duration
			want  string
		}{
			{0, "authorization_pending"},
			{5 * time.Second, "authorization_pending"},
			{4 * time.Second, "slow_down"},
			{9 * time.Second, "slow_down"},
			{15 * time.Second, "authorization_pending"},
			{14 * time.Second, "slow_down"},
		} {
			time.Sleep(step.after)
			wantError(t, poll(), 400, step.want)
		}
	})
}

func TestADeviceWhoseUserRefuses(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		start, poll := startDevice(t, s)
		if err := s.DenyDevice(start.text("user_code")); err != nil {
			t.Fatal(err)
		}
		wantError(t, poll(), 400, "access_denied")
	})
}

func TestADeviceCodeExpires(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		start, poll := startDevice(t, s)
		time.Sleep(10 * time.Minute)
		wantError(t, poll(), 400, "expired_token")
		if err := s.ApproveDevice(start.text("user_code"), "alice"); err == nil {
			t.Error("an expired code can be approved")
		}
	})
}

func TestNobodyCanApproveWhatDoesNotWait(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		start, _ := startDevice(t, s)
		if err := s.ApproveDevice("XXXX-XXXX", "alice"); err == nil {
			t.Error("an unknown code was approved")
		}
		if err := s.ApproveDevice(start.text("user_code"), "nobody"); err == nil {
			t.Error("an unknown user has approved")
		}
		if err := s.DenyDevice("XXXX-XXXX"); err == nil {
			t.Error("an unknown code was denied")
		}
		if err := s.ApproveDevice(start.text("user_code"), "alice"); err != nil {
			t.Error(err)
		}
		if err := s.DenyDevice(start.text("user_code")); err == nil {
			t.Error("an approved device was denied")
		}
	})
}

func TestADeviceCodeIsForItsClient(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) { o.Clients = append(o.Clients, clienttest.Client{ID: "other"}) })
		start, _ := startDevice(t, s)
		wantError(t, post(t, s, clienttest.TokenPath, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"other"}, "device_code": {start.text("device_code")},
		}), 400, "invalid_grant")
	})
}

func TestAPersonTypesTheCodeOnAPage(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		person := s.HTTPClient()
		for _, decision := range []string{"allow", "deny"} {
			start, poll := startDevice(t, s)
			page := get(t, s, clienttest.VerifyPath, "")
			if page.Status != 200 || !strings.Contains(page.Body, `type="text" name="user_code"`) {
				t.Errorf("the page %d has no field for the code", page.Status)
			}
			wantHarmlessPage(t, page)
			complete := get(t, s, strings.TrimPrefix(start.text("verification_uri_complete"), s.Issuer()), "")
			if !strings.Contains(complete.Body, "<b>"+start.text("user_code")+"</b>") {
				t.Error("the page does not show the code to compare")
			}
			form := url.Values{"user_code": {hidden(t, complete, "user_code")}, "account": {"alice"}, "decision": {decision}}
			if r := postPage(t, s, person, clienttest.VerifyPath, form); r.Status != 200 {
				t.Errorf("%s: the page answered %d", decision, r.Status)
			}
			if r := postPage(t, s, person, clienttest.VerifyPath, form); r.Status != 400 {
				t.Errorf("%s twice: the page answered %d", decision, r.Status)
			}
			want := map[string]int{"allow": http.StatusOK, "deny": http.StatusBadRequest}[decision]
			if r := poll(); r.Status != want {
				t.Errorf("%s: the poll was answered with %d %s", decision, r.Status, r.Body)
			}
		}
	})
}
