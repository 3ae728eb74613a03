package seal

import (
	"bytes"
	"sync"
	"testing"
)

// saltOf returns the passphrase salt of sealed bytes.
func saltOf(t *testing.T, sealed []byte) []byte {
	t.Helper()
	b, err := parse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	return b.passphraseSalt
}

func TestANewProcessDerivesOnceToReadAndWrite(t *testing.T) {
	before := &Passphrase{passphrase: []byte("correct horse")}
	first, err := before.Encrypt([]byte("text"), nil)
	if err != nil {
		t.Fatal(err)
	}
	after := &Passphrase{passphrase: []byte("correct horse")}
	if _, err := after.Decrypt(first, nil); err != nil {
		t.Fatal(err)
	}
	second, err := after.Encrypt([]byte("text"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(saltOf(t, first), saltOf(t, second)) {
		t.Error("it took a new salt, so it derived twice")
	}
}

func TestARecordThatDoesNotOpenDoesNotGiveItsSalt(t *testing.T) {
	other := &Passphrase{passphrase: []byte("wrong horse")}
	b, err := other.Encrypt([]byte("text"), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Passphrase{passphrase: []byte("correct horse")}
	if _, err := p.Decrypt(b, nil); err == nil {
		t.Fatal("it opened")
	}
	if p.inUse() != nil {
		t.Error("a salt from elsewhere would be used to seal")
	}
}

func TestConcurrentUsersShareOneDerivation(t *testing.T) {
	p := &Passphrase{passphrase: []byte("correct horse")}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			b, err := p.Encrypt([]byte("text"), nil)
			if err == nil {
				_, err = p.Decrypt(b, nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(p.derived) != 1 {
		t.Errorf("%d derivations", len(p.derived))
	}
}

func TestFewDerivedKeysAreRemembered(t *testing.T) {
	var p Passphrase
	salt := func(i int) [passphraseSaltSize]byte { return [passphraseSaltSize]byte{byte(i)} }
	for i := range 2 * maxDerived {
		p.remember(&derived{salt: salt(i)})
		if p.recall(salt(0)) == nil {
			t.Fatalf("after %d others one that is in use is forgotten", i)
		}
	}
	if len(p.derived) != maxDerived || p.recall(salt(1)) != nil {
		t.Errorf("%d are remembered, and those that nobody uses among them", len(p.derived))
	}
}
