package client

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/canary"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// FuzzCookie: whatever cookies a browser sends, also some that are sealed with the
// right key, the login that is taken is the one of the state, sealed here, begun
// less than 10 minutes ago; no other cookie than that one and those of earlier
// logins is removed, and there is room for one more then. A login that is put into
// a cookie is taken as it was. No error repeats a cookie.
func FuzzCookie(f *testing.F) {
	sealer, err := tokenstore.NewSealer(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		f.Fatal(err)
	}
	c, err := New(Config{
		Issuer: "https://as.example", ClientID: "backend", Store: memstore.New(), Sealer: sealer, RedirectURL: "https://app.example/callback",
	})
	if err != nil {
		f.Fatal(err)
	}
	jar, err := c.cookies()
	if err != nil {
		f.Fatal(err)
	}
	prefix := jar.prefix
	began := time.Now().UTC().Round(0)
	good, err := json.Marshal(pending{State: "s", Verifier: "v", Account: "alice", Began: began.Add(time.Hour)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", "state=s&code=c", []byte(`{"state":"s","verifier":"v","began":"now"}`), uint(0))
	f.Add(prefix+"043a718774c572bd=x; other=y", "state=s", good, uint(30))
	f.Add(strings.Repeat(prefix+"0=; "+prefix+"1=AAAA; ", 9), "state=s&state=s", []byte("{}"), uint(3))
	f.Add(`regrant-login-0=x; "; =; `+prefix+`=regrant; `+prefix+"\x00=a", "state=%00", []byte(`{"state":"t"}`), uint(12))
	f.Add(prefix+"0=cmVncmFudAE", "state=", []byte(`{"State":"s","began":"0001-01-01T00:00:00Z","requested":["\u2028"]}`), uint(60))
	f.Fuzz(func(t *testing.T, header, query string, content []byte, at uint) {
		response := (&url.URL{RawQuery: query}).Query()
		state := response.Get("state")
		take := func(header string) (pending, error) {
			w, r := httptest.NewRecorder(), &http.Request{Header: http.Header{"Cookie": {header}}}
			p, err := jar.take(w, r, response)
			if removed := w.Result().Cookies(); len(removed) > 1 || len(removed) == 1 && (removed[0].Name != jar.name(state) || removed[0].MaxAge >= 0) {
				t.Errorf("the browser gets %v", removed)
			}
			return p, err
		}
		if p, err := take(canary.Plant(header, at)); err == nil || canary.Shown(err) != "" {
			t.Errorf("%q brings %+v, %v", header, p, err)
		}

		content = bytes.Replace(content, []byte(`"now"`), []byte(`"`+began.Format(time.RFC3339Nano)+`"`), 1)
		name := jar.name(state)
		sealed, err := sealer.Encrypt(content, jar.associated(name))
		if err != nil {
			t.Fatal(err)
		}
		if p, err := take(name + "=" + base64.RawURLEncoding.EncodeToString(sealed)); err == nil {
			var want pending
			if json.Unmarshal(content, &want) != nil || !reflect.DeepEqual(p, want) || p.State != state || len(response["state"]) != 1 || time.Since(p.Began) > loginTime {
				t.Errorf("%q brings %+v for the state %q", content, p, state)
			}
		}

		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		checkSurplus(t, jar, r)
		checkPut(t, jar, r, pending{
			State: "s" + strings.ToValidUTF8(state, ""), Verifier: "v", Account: strings.ToValidUTF8(string(content), ""), Requested: scopeList("r " + query), Began: began,
		})
	})
}

// checkSurplus checks that there is room for one more login, at the expense of
// other logins alone.
func checkSurplus(t *testing.T, jar *cookieJar, r *http.Request) {
	t.Helper()
	surplus, left := map[string]bool{}, 0
	for _, name := range jar.surplus(r) {
		surplus[name] = true
	}
	for _, c := range r.Cookies() {
		switch ours := strings.HasPrefix(c.Name, jar.prefix); {
		case surplus[c.Name] && !ours:
			t.Errorf("the cookie %q is removed", c.Name)
		case ours && !surplus[c.Name]:
			left++
		}
	}
	if left >= maxPending {
		t.Errorf("%d logins are left", left)
	}
}

// checkPut checks that p is taken from its cookie as it was put there.
func checkPut(t *testing.T, jar *cookieJar, r *http.Request, p pending) {
	t.Helper()
	w := httptest.NewRecorder()
	if jar.put(w, r, &p) != nil {
		return // it does not fit
	}
	cookies := w.Result().Cookies()
	c := cookies[len(cookies)-1]
	if c.Name != jar.name(p.State) || c.MaxAge <= 0 || len(c.Value) > maxCookie || !c.Secure || !c.HttpOnly {
		t.Fatalf("the browser gets %v", c)
	}
	if back, err := jar.open(c); err != nil || !reflect.DeepEqual(back, p) {
		t.Errorf("%+v comes back as %+v, %v", p, back, err)
	}
}
