package client_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/client/provider"
	"github.com/regrant/regrant/tokenstore/memstore"
)

var updateStories = flag.Bool("update-stories", false, "write client/provider/stories.md anew")

// A stage is one provider, played by the fake server, and a program that knows no
// more of it than its name.
type stage struct {
	*testing.T
	as      *clienttest.Server
	profile *provider.Profile
	cfg     client.Config
	client  *client.Client
	me      *client.Account
	began   time.Time
}

func newStage(t *testing.T, name string) *stage {
	t.Helper()
	as, err := clienttest.Start(clienttest.Options{InMemory: true, Provider: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(as.Close)
	s := &stage{T: t, as: as, profile: provider.ByName(name).At(as.Issuer())}
	s.cfg = client.Config{
		Provider: name, Store: memstore.New(), Sealer: testSealer(t), HTTPClient: as.HTTPClient(), RedirectURL: pasteRedirect,
		ClientID: clienttest.ConfidentialClient, Auth: client.Secret(clienttest.ConfidentialSecret),
	}
	if s.profile.ClientAuth == "none" {
		s.cfg.ClientID, s.cfg.Auth = clienttest.PublicClient, nil
	}
	if len(s.profile.Issuers) != 1 || strings.Contains(s.profile.Issuers[0], "{") {
		s.cfg.Issuer = as.Issuer()
	}
	s.client = s.program(s.cfg)
	s.me = s.client.Account("alice")
	return s
}

// program starts a program with a configuration of its own.
func (s *stage) program(cfg client.Config) *client.Client {
	s.Helper()
	c, err := client.New(cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *stage) login() {
	s.Helper()
	s.began = time.Now()
	if err := s.me.Login(s.Context(), pasting(s.T, s.as, (*url.URL).String)); err != nil {
		s.Fatalf("login: %v", err)
	}
	if s.as.LiveRefreshToken("alice") == "" {
		s.Fatal("the login brought no refresh token")
	}
}

// call uses the API.
func (s *stage) call(a *client.Account) error {
	resp, err := a.HTTPClient().Get(s.as.URL(clienttest.APIPath))
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	// An http.RoundTripper returns the 401 that it could not help. The account knows why.
	if _, err := a.Token(s.Context()); err != nil {
		return err
	}
	return fmt.Errorf("the API answers %d", resp.StatusCode)
}

func (s *stage) expire() { time.Sleep(accessLifetime(s.profile)) }

func accessLifetime(p *provider.Profile) time.Duration {
	if p.AccessLifetime > 0 {
		return p.AccessLifetime
	}
	return 5 * time.Minute // the default of clienttest
}

// must fails the test if err is not what the story ends with.
func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Error(err)
	}
}

// mustAsk checks that the user is asked to log in, and is told what is known.
func (s *stage) mustAsk(err error, words ...string) {
	s.Helper()
	if !errors.Is(err, client.ErrLoginRequired) {
		s.Errorf("got %v, want ErrLoginRequired", err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			s.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

// dead tells whether the provider has a word for a dead refresh token that differs
// from its words for other mistakes.
func dead(p *provider.Profile) bool { return p.Answer.ErrorNone == "" }

// plays is for how long the server takes a refresh token again. That is more than the
// client relies on where the fact is not verified.
func plays(p *provider.Profile) time.Duration {
	if p.Rotation == provider.RotationDaily {
		return 24 * time.Hour
	}
	sure := *p
	sure.Facts = slices.Clone(p.Facts)
	for i := range sure.Facts {
		sure.Facts[i].Verified = true
	}
	return sure.Repeats()
}

const works = "works"

// The stories. Each returns what is told of it in stories.md; what begins with a
// dash was not offered.
var stories = []struct {
	name string
	tell func(*stage) string
}{
	{"login", func(s *stage) string {
		s.login()
		s.must(s.call(s.me))
		return works
	}},
	{"login without what it needs", func(s *stage) string {
		if len(s.profile.Params) == 0 {
			return "- nothing can be forgotten"
		}
		s.cfg.Params = url.Values{}
		for name := range s.profile.Params {
			s.cfg.Params.Set(name, "other") // the program's own word goes first
		}
		err := s.program(s.cfg).Account("alice").Login(s.Context(), pasting(s.T, s.as, (*url.URL).String))
		if s.profile.Answer.NoLifetime {
			s.must(err)
			return "- no expires_in, so it is not noticed"
		}
		if err == nil || !strings.Contains(err.Error(), s.profile.Advice) {
			s.Errorf("got %v, want the advice: %s", err, s.profile.Advice)
		}
		return "advice"
	}},
	{"three expiries", func(s *stage) string {
		s.login()
		for range 3 {
			s.expire()
			s.must(s.call(s.me))
		}
		if n := s.as.RefreshCount(); n != 3 || s.as.Reused() != 0 {
			s.Errorf("%d refreshes, %d of them with a used token; want 3 and 0", n, s.as.Reused())
		}
		return works
	}},
	{"request lost", func(s *stage) string {
		s.login()
		s.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true}, 1)
		s.expire()
		s.must(s.call(s.me))
		return works
	}},
	{"answer lost", func(s *stage) string { return s.loseAnswers(1) }},
	{"three answers lost", func(s *stage) string { return s.loseAnswers(3) }},
	{"old token replayed", func(s *stage) string {
		s.login()
		old := s.as.LiveRefreshToken("alice")
		s.expire()
		s.must(s.call(s.me))
		thief := s.program(s.cfg).Account("thief")
		s.must(thief.Login(s.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) {
			return &oauth2.Token{RefreshToken: old}, nil
		})))
		stolen := s.call(thief)
		s.expire()
		after := s.call(s.me)
		switch {
		case s.profile.Reuse == provider.ReuseUntilUse: // what it brought was used
			s.mustAsk(stolen)
			s.must(after)
			return "refused"
		case plays(s.profile) > 0:
			s.must(stolen)
			s.must(after)
			return "both go on"
		}
		s.mustAsk(stolen, s.profile.Ended)
		s.mustAsk(after, s.profile.Ended)
		return "login for both"
	}},
	{"revoked by the user", func(s *stage) string {
		s.login()
		s.as.Revoke("alice")
		s.expire()
		if !dead(s.profile) {
			s.mustAsk(s.call(s.me))
			return "login, told to this process only"
		}
		s.mustAsk(s.call(s.me), s.profile.Ended)
		n := s.as.RefreshCount()
		s.mustAsk(s.call(s.program(s.cfg).Account("alice")), s.profile.Ended)
		if s.as.RefreshCount() != n {
			s.Error("another process has asked the server again")
		}
		return "login"
	}},
	{"logout", func(s *stage) string {
		s.login()
		_, err := s.me.Logout(s.Context())
		s.mustAsk(s.call(s.me))
		if err != nil {
			if !s.as.FamilyAlive("alice") || !strings.Contains(err.Error(), "no revocation endpoint") {
				s.Error(err)
			}
			return "- no endpoint to revoke at"
		}
		if s.as.FamilyAlive("alice") {
			s.Error("the refresh token is still good")
		}
		return works
	}},
	{"KeepAlive", func(s *stage) string {
		s.login()
		want := 1
		if s.profile.Idle == 0 {
			want = 0
		}
		time.Sleep(s.profile.Idle/2 + time.Hour)
		s.must(s.client.KeepAlive(s.Context(), 0))
		if n := s.as.RefreshCount(); n != want {
			s.Errorf("KeepAlive has renewed %d times, want %d", n, want)
		}
		if want == 0 {
			return "- no idle lifetime is known"
		}
		time.Sleep(s.profile.Idle * 3 / 4) // beyond what the first refresh token had
		s.must(s.call(s.me))
		return works
	}},
	{"forecast", func(s *stage) string {
		s.login()
		s.expire()
		s.must(s.call(s.me))
		status, err := s.me.Status(s.Context())
		s.must(err)
		if s.profile.Absolute == 0 {
			if !status.GrantExpiry.IsZero() {
				s.Errorf("the grant is said to end %v", status.GrantExpiry)
			}
			return "- no absolute lifetime is known"
		}
		if d := status.GrantExpiry.Sub(s.began.Add(s.profile.Absolute)).Abs(); d > time.Minute {
			s.Errorf("the grant is said to end %v, %v off", status.GrantExpiry, d)
		}
		return works
	}},
}

// loseAnswers lets n refreshes in a row be committed, and their answers be lost.
func (s *stage) loseAnswers(n int) string {
	s.login()
	s.as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, n)
	s.expire()
	err := s.call(s.me)
	known := s.profile.Repeats() > time.Duration(2*n)*time.Second
	if known || n == 1 && plays(s.profile) > 2*time.Second {
		s.must(err)
		if got := s.as.RefreshCount(); !s.profile.Answer.NoLifetime && got != n+1 {
			s.Errorf("%d refreshes, want %d", got, n+1)
		}
		return works
	}
	if n > 1 { // a repeat is a risk: it is taken once, and then not before the back-off
		s.as.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
		var e *client.Error
		if !s.profile.Answer.NoLifetime && (!errors.As(err, &e) || !e.Temporary) {
			s.Errorf("got %v, want a temporary error", err)
		}
		time.Sleep(time.Minute)
		err = s.call(s.me)
	}
	if plays(s.profile) > 2*time.Minute {
		s.must(err)
		return works + ", after a pause"
	}
	s.mustAsk(err, "never received", s.profile.Ended)
	return "login"
}

// Every provider that a program can log in to is played, and each story is told of
// each. What becomes of it is in client/provider/stories.md, for people.
func TestEachStoryOfEachProvider(t *testing.T) {
	var page strings.Builder
	page.WriteString("# What a program meets\n\nEach provider of [the table](providers.md) is played by `clienttest`, and a program that knows its name goes through each\n" +
		"story. `login` means that the user has to log in again. `go test ./client -run EachStoryOfEachProvider -update-stories` writes\nthis page; the test fails if it is not true.\n\n| provider |")
	for _, story := range stories {
		page.WriteString(" " + story.name + " |")
	}
	page.WriteString("\n|---|" + strings.Repeat("---|", len(stories)) + "\n")
	for _, p := range provider.All() {
		if p.Unsupported != "" {
			fmt.Fprintf(&page, "| %s | - %s |%s\n", p.Title, p.Unsupported, strings.Repeat(" |", len(stories)-1))
			continue
		}
		fmt.Fprintf(&page, "| %s |", p.Title)
		for _, story := range stories {
			t.Run(p.Name+"/"+story.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { fmt.Fprintf(&page, " %s |", story.tell(newStage(t, p.Name))) })
			})
		}
		page.WriteString("\n")
	}
	const file = "provider/stories.md"
	if *updateStories {
		if err := os.WriteFile(file, []byte(page.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if written, err := os.ReadFile(file); err != nil || string(written) != page.String() && !t.Failed() {
		t.Errorf("%s does not tell what happens (%v): write it anew with -update-stories", file, err)
	}
}
