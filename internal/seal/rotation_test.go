package seal

import (
	"fmt"
	"testing"
)

// A derivation takes a tenth of a second: a thousand records of a place must not
// take a thousand.
func TestAnotherPassphraseDerivesForEachSaltNotForEachRecord(t *testing.T) {
	before, err := NewPassphrase("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	now, err := NewPassphrase("battery staple")
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRotation(now, before)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1000 {
		ad := fmt.Append(nil, n)
		sealed, err := before.Encrypt([]byte("text"), ad)
		if err != nil {
			t.Fatal(err)
		}
		plaintext, current, err := Open(r, sealed, ad)
		if err != nil || current {
			t.Fatal(current, err)
		}
		if sealed, err = r.Encrypt(plaintext, ad); err != nil {
			t.Fatal(err)
		}
		if _, current, err = Open(r, sealed, ad); err != nil || !current {
			t.Fatal(current, err)
		}
	}
	if len(before.derived) != 1 || len(now.derived) != 2 { // of the old salt, to see that it does not open, and of its own
		t.Errorf("%d derivations of the old passphrase, %d of the new one", len(before.derived), len(now.derived))
	}
}
