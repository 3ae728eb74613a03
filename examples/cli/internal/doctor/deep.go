package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/examples/cli/internal/login"
)

// A Spy is a transport to the authorization server that notices refresh tokens, so that
// one can be sent again. It is for a login that is made in order to be ended.
type Spy struct {
	Base http.RoundTripper

	mu      sync.Mutex
	given   string // the refresh token in the last answer with tokens, "": none
	without bool   // there was one without a refresh token
	request *http.Request
	form    []byte // of the last refresh
}

// RoundTrip passes r on.
func (s *Spy) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Method == http.MethodPost && r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		_ = r.Body.Close() // it was read
		if err != nil {
			return nil, err
		}
		r = again(r, body)
	}
	resp, err := s.Base.RoundTrip(r)
	if err != nil || body == nil {
		return resp, err
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	_ = resp.Body.Close() // it was read
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	s.notice(r, body, answer)
	return resp, nil
}

func (s *Spy) notice(r *http.Request, body, answer []byte) {
	var token struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if json.Unmarshal(answer, &token) != nil || token.AccessToken == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given, s.without = token.RefreshToken, s.without || token.RefreshToken == ""
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("grant_type") == "refresh_token" {
		s.request, s.form = r, body
	}
}

// again is r with another body.
func again(r *http.Request, body []byte) *http.Request {
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return r
}

// last returns the refresh token of the last answer.
func (s *Spy) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}

// repeat sends the last refresh a second time, as a client does that has lost the
// answer. It returns the error code, "" if there are tokens.
func (s *Spy) repeat(ctx context.Context) (code string, err error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	s.mu.Lock()
	r, form := s.request, s.form
	s.mu.Unlock()
	resp, err := s.Base.RoundTrip(again(r.WithContext(ctx), form))
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil || answer.AccessToken == "" && answer.Error == "" {
		return "", errors.New("the server answered " + resp.Status)
	}
	return answer.Error, nil
}

// Deep examines how the server renews grants, with an account that was logged in for
// that through a client whose requests go through spy. It ends the login.
func (e *Exam) Deep(ctx context.Context, me *client.Account, spy *Spy) {
	e.identity(ctx, me)
	e.rotation(ctx, me, spy)
	_, err := me.Logout(ctx)
	if failed, ok := errors.AsType[*client.Error](err); ok {
		err = failed.Err // of which account is plain
	}
	if err != nil {
		e.found("logout", Warning, err.Error(), "end the login of this examination in the account settings of the server")
	} else {
		e.found("logout", Good, "the server has revoked the login of this examination", "")
	}
}

// identity compares the clocks by a signed time.
func (e *Exam) identity(ctx context.Context, me *client.Account) {
	var claims struct {
		Issued int64 `json:"iat"`
	}
	if me.Claims(ctx, &claims) != nil {
		e.found("identity", Note, "the server does not say who has logged in: it gives no ID token", "if it knows OpenID Connect: "+e.wider(ctx, me, login.Identity(e.Profile)...))
		return
	}
	status, err := me.Status(ctx)
	if err != nil {
		return
	}
	var skew time.Duration
	switch issued, now := time.Unix(claims.Issued, 0), time.Now(); { // between the request and now
	case issued.Before(status.LoggedIn):
		skew = status.LoggedIn.Sub(issued)
	case issued.After(now):
		skew = now.Sub(issued)
	}
	if skew.Abs() > 5*time.Second {
		e.skew(skew, "the ID token")
	}
	e.found("identity", Good, "the ID token is signed and valid", "")
}

// rotation renews twice, with a repetition between.
func (e *Exam) rotation(ctx context.Context, me *client.Account, spy *Spy) {
	const check = "rotation"
	first := spy.last()
	if first == "" {
		e.found(check, Problem, "the login has brought no refresh token", e.AskForOne(ctx, me))
		return
	}
	if _, err := me.Refresh(ctx, nil); err != nil {
		e.found(check, Problem, "the grant cannot be renewed: "+err.Error(), "may this client use refresh tokens? The registration at the server says")
		return
	}
	second := spy.last()
	if second == "" || second == first {
		e.found(check, Good, "the refresh token stays the same", "")
		return
	}
	e.found(check, Good, "each renewal replaces the refresh token", "")

	code, err := spy.repeat(ctx)
	switch {
	case err != nil:
		e.found("reuse", Warning, "a repeated renewal has no clear answer: "+err.Error(), "")
	case code == "":
		e.found("reuse", Good, "a renewal can be repeated at once: if an answer is lost, nobody is logged out", "")
	default:
		e.found("reuse", Note, "a refresh token works once ("+code+" the second time)", "a machine that dies between the answer and the save loses its login: ask for a grace period of some seconds, if the server has that setting")
	}
	switch _, err := me.Refresh(ctx, nil); {
	case err == nil:
		e.found("family", Good, "the login goes on after a repeated renewal", "")
	case errors.Is(err, client.ErrLoginRequired):
		e.found("family", Note, "a repeated renewal ends the whole login: the server takes it for a theft (RFC 9700 section 4.14.2)", "no other program may have a copy of a refresh token: import with care, restore no backups")
	default:
		e.found("family", Warning, "after a repeated renewal: "+err.Error(), "")
	}
}

// Without tells whether the server has given tokens without a refresh token.
func (s *Spy) Without() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.without
}

// AskForOne is how me gets a refresh token there. The parameters and the scopes of a
// known provider were sent already.
func (e *Exam) AskForOne(ctx context.Context, me *client.Account) string {
	if p := e.provider; p != nil && p.Advice != "" {
		return p.Advice
	}
	const other = "switch refresh tokens on for this client at the server"
	asked := e.Profile.Scopes
	if asked == nil && (e.meta == nil || e.meta.Scopes == nil) {
		return other
	}
	if asked == nil {
		asked = e.meta.Scopes
	}
	if slices.Contains(asked, offline) {
		return other
	}
	return other + ", or ask for one: " + e.wider(ctx, me, offline)
}

// wider is the command that logs in and asks for other scopes, too.
func (e *Exam) wider(ctx context.Context, me *client.Account, wanted ...string) string {
	status, _ := me.Status(ctx) // what is not logged in has no scopes
	return e.Login + " " + login.Line(login.Scopes(e.Profile, status.Scopes, wanted...)...)
}
