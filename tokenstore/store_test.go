package tokenstore_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
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

// FuzzKeyString: the key can be read back from its name, whatever it holds; so no
// two keys have one name (a function with a left inverse is injective). And no
// text but the name is read as the key.
func FuzzKeyString(f *testing.F) {
	f.Add("https://accounts.google.com", "backend", "alice", "")
	f.Add("https://login.microsoftonline.com/{tenantid}/v2.0", "9f1c", "é\u2028", "regrant:1:a,1:b,1:c,")
	f.Add("1:a,", "b", "c", "regrant:4:1:a,,1:b,1:c,")
	f.Add("", "0:,", "\xff\x00", "regrant:0:,00:,+0:,")
	f.Fuzz(func(t *testing.T, issuer, clientID, account, name string) {
		key := tokenstore.Key{Issuer: issuer, ClientID: clientID, Account: account}
		if back, ok := readName(key.String()); !ok || back != key {
			t.Errorf("%q is read back as %+v, %v", key.String(), back, ok)
		}
		if read, ok := readName(name); ok && read.String() != name {
			t.Errorf("%q and %q are both names of %+v", name, read.String(), read)
		}
	})
}

// readName reads the fields out of the name of a key.
func readName(name string) (key tokenstore.Key, ok bool) {
	rest, ok := strings.CutPrefix(name, "regrant:")
	for _, field := range []*string{&key.Issuer, &key.ClientID, &key.Account} {
		length, after, found := strings.Cut(rest, ":")
		n, err := strconv.Atoi(length)
		if !ok || !found || err != nil || strconv.Itoa(n) != length || n < 0 || n >= len(after) || after[n] != ',' {
			return tokenstore.Key{}, false
		}
		*field, rest = after[:n], after[n+1:]
	}
	return key, rest == ""
}

// TestTheNameOfAKeyStaysWhatItIs fails if String changes: seals and file names
// of earlier versions depend on it.
func TestTheNameOfAKeyStaysWhatItIs(t *testing.T) {
	key := tokenstore.Key{Issuer: "https://issuer.example", ClientID: "cli", Account: "é"}
	if got, want := key.String(), "regrant:22:https://issuer.example,3:cli,2:é,"; got != want {
		t.Errorf("it is %q instead of %q", got, want)
	}
}
