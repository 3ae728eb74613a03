package loopback

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// Whatever the query of a callback is: it is accepted if and only if the check
// says so, Wait returns what the check saw, and otherwise the page is the same
// to the byte, so it holds nothing of the query.
func FuzzCallback(f *testing.F) {
	const state = "the-right-state"
	for _, query := range []string{
		"", "code=a&state=" + state, "state=" + state + "&state=x", "state=" + state + "&;=%",
		"error=access_denied&error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E&state=%22%3E",
		"state=%", "state=%00", ";;", "&&==&", "\x00\xff\r\nSet-Cookie: a=b", strings.Repeat("a=b&", 100),
	} {
		f.Add(query)
	}
	page := httptest.NewRecorder()
	show(page, http.StatusBadRequest, foreign())

	f.Fuzz(func(t *testing.T, query string) {
		r := newReceiver(&url.URL{Scheme: "http", Host: "127.0.0.1:4000", Path: "/callback"})
		right := false
		waited := make(chan url.Values)
		ctx := t.Context()
		go func() {
			params, _ := r.Wait(ctx, func(v url.Values) bool {
				right = len(v["state"]) == 1 && v["state"][0] == state
				return right
			})
			waited <- params
		}()
		callback := *r.redirect
		callback.RawQuery = query
		w := httptest.NewRecorder()
		r.serve(w, &http.Request{Method: "GET", Host: "127.0.0.1:4000", URL: &callback})
		if w.Code == http.StatusSeeOther {
			if params := <-waited; !right || !reflect.DeepEqual(params, callback.Query()) {
				t.Fatalf("%q was accepted as %v", query, params)
			}
			if at := w.Header().Get("Location"); at != r.RedirectURI()+"/result" {
				t.Fatalf("the browser is sent to %q", at)
			}
			return
		}
		if right || w.Code != http.StatusBadRequest || w.Body.String() != page.Body.String() || !reflect.DeepEqual(w.Header(), page.Header()) {
			t.Fatalf("%q was answered %d %v %q", query, w.Code, w.Header(), w.Body)
		}
		r.broken <- http.ErrServerClosed
		<-waited
	})
}
