package loopback

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// FuzzCallback: whatever the query of a callback is, it is accepted if and only if
// the check says so, Wait returns what the check saw, and from then on it alone
// is accepted, any number of times. What is refused is answered with the same
// page to the byte, so that holds nothing of the query.
func FuzzCallback(f *testing.F) {
	const state = "the-right-state"
	for _, query := range []string{
		"", "code=a&state=" + state, "state=" + state + "&state=x", "state=" + state + "&;=%",
		"error=access_denied&error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E&state=%22%3E",
		"code=ory_ac_x.y&scope=openid+offline_access&state=" + state, "code=a&state=" + state + "&session_state=b&iss=https%3A%2F%2Fas.example.com",
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
		request := func(query string) *httptest.ResponseRecorder {
			callback.RawQuery = query
			w := httptest.NewRecorder()
			r.serve(w, &http.Request{Method: "GET", Host: "127.0.0.1:4000", URL: &callback})
			if w.Code != http.StatusSeeOther && (w.Code != http.StatusBadRequest || w.Body.String() != page.Body.String() || !reflect.DeepEqual(w.Header(), page.Header())) {
				t.Fatalf("%q was answered %d %v %q", query, w.Code, w.Header(), w.Body)
			}
			return w
		}
		w := request(query)
		if w.Code != http.StatusSeeOther {
			if right {
				t.Fatalf("%q was refused", query)
			}
			r.broken <- http.ErrServerClosed
			<-waited
			return
		}
		if params := <-waited; !right || !reflect.DeepEqual(params, callback.Query()) {
			t.Fatalf("%q was accepted as %v", query, params)
		}
		if at := w.Header().Get("Location"); at != r.RedirectURI()+"/result" {
			t.Fatalf("the browser is sent to %q", at)
		}
		if again, other := request(query), request(query+"&"); again.Code != http.StatusSeeOther || other.Code == http.StatusSeeOther {
			t.Fatalf("after %q it is answered %d, and another %d", query, again.Code, other.Code)
		}
	})
}
