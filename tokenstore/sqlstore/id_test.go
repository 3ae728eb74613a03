package sqlstore

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/regrant/regrant/tokenstore"
)

// Another id, and every grant that was ever kept is lost.
func TestFieldCase_AzureAD_microsoft_authentication_library_for_go_423_TheIDOfAKeyNeverChanges(t *testing.T) {
	key := tokenstore.Key{Issuer: "https://issuer.example", ClientID: "backend", Account: "alice"}
	const want = "ffb55acfff1cbc1b" + "10e08a419e850eba" + "d3687f4f243b8409819e4c7b97c492bbc7968f01ca2da07f2d18da493e7cfff2"
	if got := hex.EncodeToString(id(key)); got != want {
		t.Errorf("it is %s, and was %s", got, want)
	}
}

// FuzzWhatMatchesLiesInTheSpan checks that List reads the rows of every key that
// matches, and that the order of ids keeps groups together.
func FuzzWhatMatchesLiesInTheSpan(f *testing.F) {
	f.Add("https://issuer.example", "backend", "alice", uint8(7))
	f.Add("https://issuer.example", "backend", "alice", uint8(1))
	f.Add("i", "c", "a", uint8(0))
	f.Fuzz(func(t *testing.T, issuer, client, account string, fields uint8) {
		key := tokenstore.Key{Issuer: issuer, ClientID: client, Account: account}
		match := tokenstore.Key{}
		if fields&1 != 0 {
			match.Issuer = issuer
		}
		if fields&2 != 0 {
			match.ClientID = client
		}
		if fields&4 != 0 {
			match.Account = account
		}
		after, last := span(match)
		if i := id(key); len(i) != idLen || bytes.Compare(i, after) <= 0 || bytes.Compare(i, last) > 0 {
			t.Errorf("the id %x of %v is not between %x and %x", i, key, after, last)
		}
	})
}

func TestAMatchOfAnIssuerOrAClientLeavesOthersOut(t *testing.T) {
	base := tokenstore.Key{Issuer: "https://issuer.example", ClientID: "backend", Account: "alice"}
	for _, match := range []tokenstore.Key{
		{Issuer: "https://other.example"},
		{Issuer: "https://issuer.example", ClientID: "other"},
		{Issuer: "https://other.example", ClientID: "backend"},
	} {
		after, last := span(match)
		if i := id(base); bytes.Compare(i, after) > 0 && bytes.Compare(i, last) <= 0 {
			t.Errorf("for %+v the row of %+v is read, too", match, base)
		}
	}
}
