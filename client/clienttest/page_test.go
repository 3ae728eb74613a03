package clienttest_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestTheLoginPageAsksAPerson(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) { o.LoginPage = true })
		person := s.HTTPClient()
		for _, row := range []struct{ account, decision, want string }{
			{"bob", "allow", "code"}, {"bob", "deny", "error"}, {"bob", "", "error"},
		} {
			to, page := browse(t, s, person, authParams())
			if to != nil || page.Status != 200 {
				t.Fatalf("no page: %d %v", page.Status, to)
			}
			wantHarmlessPage(t, page)
			form := url.Values{"request": {hidden(t, page, "request")}, "account": {row.account}, "decision": {row.decision}}
			answer := postPage(t, s, person, "/login", form)
			if to = location(t, answer); to == nil || !to.Query().Has(row.want) || to.Query().Get("state") != "st" || answer.Status != http.StatusSeeOther {
				t.Errorf("%v: sent to %v", row, to)
			}
			if again := postPage(t, s, person, "/login", form); again.Status != 400 {
				t.Errorf("the page can be answered twice: %d", again.Status)
			}
		}
		if to, _ := browse(t, s, person, with(authParams(), "prompt", "none")); to == nil || to.Query().Get("error") != "login_required" {
			t.Errorf("prompt=none: sent to %v", to)
		}
		if to, _ := authorize(t, s, authParams()); to == nil || !to.Query().Has("code") {
			t.Error("UserAgent was shown the page")
		}
	})
}

func wantHarmlessPage(t *testing.T, page reply) {
	t.Helper()
	if csp := page.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy: %q", csp)
	}
	if regexp.MustCompile(`(?i)<script|<link [^>]*href="[^d]|<img|src=|@import|url\(`).MatchString(page.Body) {
		t.Error("the page runs or loads something")
	}
}

func hidden(t *testing.T, page reply, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page.Body)
	if m == nil {
		t.Fatalf("no field %s on the page", name)
	}
	return html.UnescapeString(m[1])
}

func postPage(t *testing.T, s *clienttest.Server, c *http.Client, path string, form url.Values) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(path), formBody(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r, err := do(t, c, req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheServerNamesItselfOnItsPages(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) { o.LoginPage, o.Name = true, "Mail & more" })
		if _, page := browse(t, s, s.HTTPClient(), authParams()); !strings.Contains(page.Body, "Mail &amp; more") {
			t.Errorf("the page is\n%s", page.Body)
		}
	})
}
