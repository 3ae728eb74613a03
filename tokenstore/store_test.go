package tokenstore_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

func TestTheExampleOfAStoreKeepsTheContract(t *testing.T) {
	server := startServer()
	defer server.Close()
	tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return webStore{server.URL} })
}

// startServer starts a server of objects that honours conditions.
func startServer() *httptest.Server {
	type object struct{ body, tag string }
	var mu sync.Mutex
	objects := map[string]object{}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		o, exists := objects[r.URL.Path]
		match, noneMatch := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
		switch {
		case !exists && r.Method != http.MethodPut: // before any condition (RFC 9110 section 13.2.1)
			w.WriteHeader(http.StatusNotFound)
		case match != "" && o.tag != match, noneMatch == "*" && exists:
			w.WriteHeader(http.StatusPreconditionFailed)
		case r.Method == http.MethodDelete:
			delete(objects, r.URL.Path)
			w.WriteHeader(http.StatusNoContent)
		case r.Method == http.MethodPut:
			o = object{string(body), `"` + rand.Text() + `"`}
			objects[r.URL.Path] = o
			w.Header().Set("ETag", o.tag)
			w.WriteHeader(http.StatusCreated)
		default:
			w.Header().Set("ETag", o.tag)
			_, _ = io.WriteString(w, o.body)
		}
	}))
}

func TestKeysMatchFieldByField(t *testing.T) {
	key := tokenstore.Key{Issuer: "i", ClientID: "c", Account: "a"}
	for match, want := range map[tokenstore.Key]bool{
		{}:                          true,
		{Issuer: "i"}:               true,
		{ClientID: "c"}:             true,
		{Account: "a"}:              true,
		key:                         true,
		{Issuer: "c"}:               false,
		{ClientID: "C"}:             false,
		{Account: "a "}:             false,
		{Issuer: "i", Account: ""}:  true,
		{Issuer: "i", Account: "b"}: false,
	} {
		if key.Matches(match) != want {
			t.Errorf("%+v matches %+v: %v", key, match, !want)
		}
	}
}

// FuzzKeyString: two keys have one name only if they are one key.
func FuzzKeyString(f *testing.F) {
	f.Add("a", "bc", "d", "ab", "c", "d")
	f.Add("1:a,", "b", "c", "", "1:a,1:b", "c")
	f.Add("", "", "", "0:,", "", "")
	f.Fuzz(func(t *testing.T, i1, c1, a1, i2, c2, a2 string) {
		k1 := tokenstore.Key{Issuer: i1, ClientID: c1, Account: a1}
		k2 := tokenstore.Key{Issuer: i2, ClientID: c2, Account: a2}
		if (k1.String() == k2.String()) != (k1 == k2) {
			t.Errorf("%q and %q: %q and %q", k1, k2, k1.String(), k2.String())
		}
	})
}

// TestTheNameOfAKeyStaysWhatItIs fails if String changes: seals and file names
// of earlier versions depend on it.
func TestTheNameOfAKeyStaysWhatItIs(t *testing.T) {
	key := tokenstore.Key{Issuer: "https://issuer.example", ClientID: "cli", Account: "é"}
	if got, want := key.String(), "regrant:22:https://issuer.example,3:cli,2:é,"; got != want {
		t.Errorf("it is %q instead of %q", got, want)
	}
}
