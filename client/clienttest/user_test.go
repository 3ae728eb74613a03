package clienttest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestTheBrowserRequestsTheCallback(t *testing.T) {
	for _, start := range []func(testing.TB) *clienttest.Server{clienttest.NewServer, clienttest.NewMemoryServer} {
		s := start(t)
		called := make(chan url.Values, 1)
		app := newApp(t, func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.Query() })
		params := with(authParams(), "redirect_uri", app+"/cb")
		for account, open := range map[string]func(string) error{"alice": s.Browser(), "bob": s.BrowserOf("bob")} {
			if err := open(s.URL(clienttest.AuthorizePath) + "?" + params.Encode()); err != nil {
				t.Fatal(err)
			}
			if q := <-called; !q.Has("code") || q.Get("state") != "st" {
				t.Errorf("the callback got %v", q)
			}
			exchanges := s.Exchanges()
			if got := exchanges[len(exchanges)-1].Account; got != account {
				t.Errorf("%s logged in instead of %s", got, account)
			}
		}
		if err := s.Browser()(s.URL(clienttest.AuthorizePath) + "?client_id=nobody"); err == nil {
			t.Error("a login that goes nowhere is no error")
		}
		if err := s.Browser()("::"); err == nil {
			t.Error("what is no URL is no error")
		}
	}
}

func TestCloseEndsTheVisitOfACallbackThatHangs(t *testing.T) {
	s := clienttest.NewServer(t)
	arrived := make(chan struct{})
	app := newApp(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	if err := s.Browser()(s.URL(clienttest.AuthorizePath) + "?" + with(authParams(), "redirect_uri", app+"/cb").Encode()); err != nil {
		t.Fatal(err)
	}
	<-arrived
	s.Close()
}
