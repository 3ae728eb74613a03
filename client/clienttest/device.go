package clienttest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const deviceLifetime = 10 * time.Minute

// A device waits for its user (RFC 8628).
type device struct {
	code     string
	userCode string
	client   Client
	scope    []string
	expires  time.Time
	interval time.Duration
	polled   time.Time // last; zero: never

	account string // who agreed
	denied  bool
	used    bool
	family  *family // what it brought
}

// deviceAuthorization is the device authorization endpoint (RFC 8628 section 3.1).
func (s *Server) deviceAuthorization(c *call) {
	client, ok := c.clientRequest()
	if !ok || !c.knownResources() {
		return
	}
	text := rand.Text()
	d := &device{
		code:     rand.Text() + rand.Text(),
		userCode: text[:4] + "-" + text[4:8],
		client:   client,
		scope:    c.grantable(c.x.Form.Get("scope")),
		expires:  c.now.Add(deviceLifetime),
		interval: c.opts.DeviceInterval,
	}
	s.mu.Lock()
	s.grants.devices[d.code] = d
	s.mu.Unlock()
	c.json(http.StatusOK, map[string]any{
		"device_code":               d.code,
		"user_code":                 d.userCode,
		"verification_uri":          s.URL(VerifyPath),
		"verification_uri_complete": s.URL(VerifyPath) + "?user_code=" + d.userCode,
		"expires_in":                int64(deviceLifetime / time.Second),
		"interval":                  int64(d.interval / time.Second),
	})
}

// redeemDevice answers a poll (RFC 8628 section 3.4). Server.mu is held.
func (c *call) redeemDevice(client Client) *issued {
	d := c.s.grants.devices[c.x.Form.Get("device_code")]
	if d == nil || d.client.ID != client.ID {
		c.fail(http.StatusBadRequest, "invalid_grant", "the device code is unknown")
		return nil
	}
	early := !d.polled.IsZero() && c.now.Sub(d.polled) < d.interval
	d.polled = c.now
	switch {
	case d.used:
		// As for an authorization code (RFC 6749 section 4.1.2); oidc-provider 9 does so.
		d.family.revoked = true
		c.x.Outcome = Reused
		c.fail(http.StatusBadRequest, "invalid_grant", "the device code was used before; its tokens are revoked")
	case !c.now.Before(d.expires):
		c.fail(http.StatusBadRequest, "expired_token", "the device code has expired")
	case early:
		d.interval += 5 * time.Second // RFC 8628 section 3.5: for this and all later polls
		c.fail(http.StatusBadRequest, "slow_down", "the client polls faster than the interval allows")
	case d.denied:
		c.fail(http.StatusBadRequest, "access_denied", "the user refused")
	case d.account == "":
		c.fail(http.StatusBadRequest, "authorization_pending", "the user has not answered yet")
	default:
		d.used = true
		d.family = c.s.grants.login(client.ID, d.account, d.scope, c.now)
		d.family.offline = c.asksForRefreshToken(d.scope, nil) && c.hasTokenParams()
		return c.issueLogin(d.family, "")
	}
	return nil
}

// ApproveDevice is a user who types the code that a device shows, logs in as
// account, and agrees. It fails if nothing waits under that code, or if there is
// no such account.
func (s *Server) ApproveDevice(userCode, account string) error {
	if _, ok := s.opts.Load().user(account); !ok {
		return fmt.Errorf("clienttest: there is no account %q in Options.Users", account)
	}
	return s.answerDevice(userCode, func(d *device) { d.account = account })
}

// DenyDevice is a user who refuses. It fails if nothing waits under that code.
func (s *Server) DenyDevice(userCode string) error {
	return s.answerDevice(userCode, func(d *device) { d.denied = true })
}

func (s *Server) answerDevice(userCode string, answer func(*device)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.grants.devices {
		if plainCode(d.userCode) != plainCode(userCode) {
			continue
		}
		if d.account != "" || d.denied || !time.Now().Before(d.expires) {
			break
		}
		answer(d)
		return nil
	}
	return errors.New("clienttest: no device waits under this user code")
}

// plainCode forgives what people do to a code (RFC 8628 section 6.1).
func plainCode(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(s))
}

// verifyDevice is the page where a person types the code (RFC 8628 section 3.3).
func (s *Server) verifyDevice(c *call) {
	if c.r.Method != http.MethodPost {
		userCode := c.x.Query.Get("user_code") // of verification_uri_complete; shown to compare (section 3.3.1)
		c.page(http.StatusOK, "login", map[string]any{
			"Title": "Log in", "Client": "the device", "Users": c.opts.Users, "Code": userCode,
			"Action": s.URL(VerifyPath), "Field": "user_code", "Handle": userCode,
		})
		return
	}
	var err error
	userCode := c.x.Form.Get("user_code")
	if c.x.Form.Get("decision") == decisionAllow {
		err = s.ApproveDevice(userCode, c.x.Form.Get("account"))
	} else {
		err = s.DenyDevice(userCode)
	}
	if err != nil {
		c.errorPage("No device waits under this code. Look at the device again.")
		return
	}
	c.messagePage("Done", "You can go back to your device.")
}
