package redisstore

import (
	"testing"

	"github.com/regrant/regrant/tokenstore"
)

// Other names, and every grant that was ever kept is lost.
func TestFieldCase_AzureAD_microsoft_authentication_library_for_go_423_TheNamesOfAKeyNeverChange(t *testing.T) {
	key := tokenstore.Key{Issuer: "https://issuer.example", ClientID: "backend", Account: "alice"}
	s := New(nil)
	const record = "regrant:{13}" + "d3687f4f243b8409819e4c7b97c492bbc7968f01ca2da07f2d18da493e7cfff2"
	if got := s.record(key); got != record {
		t.Errorf("the record is %s, and was %s", got, record)
	}
	if got, want := s.index(group(key)), record[:12]+"index"; got != want {
		t.Errorf("the index is %s, and was %s", got, want)
	}
	if m, err := member(key); m != "https://issuer.example\x00backend\x00alice" || err != nil {
		t.Errorf("the member is %q, error %v", m, err)
	}
}

// FuzzWhatMatchesLiesInTheSpan checks that List reads every key that matches, and
// no key of another issuer or client.
func FuzzWhatMatchesLiesInTheSpan(f *testing.F) {
	f.Add("https://issuer.example", "backend", "alice", "https://issuer.example", "backend")
	f.Add("https://issuer.example/", "backend", "alice", "https://issuer.example", "")
	f.Add("i", "c", "a", "i", "cc")
	f.Add("i", "c", "a", "", "c")
	f.Fuzz(func(t *testing.T, issuer, client, account, matchIssuer, matchClient string) {
		key := tokenstore.Key{Issuer: issuer, ClientID: client, Account: account}
		m, err := member(key)
		if _, bad := member(tokenstore.Key{Issuer: matchIssuer, ClientID: matchClient}); err != nil || bad != nil {
			return
		}
		if parsed, err := parse(m); parsed != key || err != nil {
			t.Errorf("%q is parsed as %v, %v", m, parsed, err)
		}
		match := tokenstore.Key{Issuer: matchIssuer, ClientID: matchClient}
		first, last := span(match)
		inside := first == "-" || m >= first[1:] && m < last[1:]
		if want := matchIssuer == "" || key.Matches(match); inside != want {
			t.Errorf("%v and match %+v: inside the span: %v", key, match, inside)
		}
	})
}
