package tokenstore

import (
	"fmt"

	"github.com/regrant/regrant/internal/seal"
)

// NewSealer returns a Sealer with keys of 32 bytes each. The first key seals,
// all of them open: to rotate a key, put the new one first and keep the old one
// until [Reseal] has nothing left to do. The keys are copied.
//
// It uses AES-256-GCM, with a key of its own for every record (HKDF-SHA256),
// both approved for FIPS 140. Make a key with 32 bytes from crypto/rand, and
// keep it where the program's other secrets are; a key that comes as text must
// be decoded first. No key, a key of another length, and a key of zeros are
// errors.
//
// What does not open is explained by the error of Decrypt: no sealed bytes at
// all, a newer format, a key that is not among these, or damaged.
func NewSealer(keys ...[]byte) (Sealer, error) {
	s, err := seal.NewKeys(keys...)
	if err != nil {
		return nil, fmt.Errorf("tokenstore: %w", err)
	}
	return s, nil
}

// NewPassphraseSealer returns a Sealer whose key is derived from a passphrase
// with argon2id (RFC 9106, its second recommended option: three passes over 64
// MiB). The first use in a process takes about a tenth of a second; after that
// the derived key is remembered. An empty passphrase is an error.
//
// The error of Decrypt tells a wrong passphrase from a damaged record. Argon2 is
// not approved for FIPS 140; where that matters use [NewSealer].
func NewPassphraseSealer(passphrase string) (Sealer, error) {
	s, err := seal.NewPassphrase(passphrase)
	if err != nil {
		return nil, fmt.Errorf("tokenstore: %w", err)
	}
	return s, nil
}

// NewRotation returns a Sealer that seals with now, and opens what now or any of
// before has sealed: to change a passphrase, or to go from one kind of Sealer to
// another, a KMS say. [Reseal] takes what now opens for sealed with it, even if
// now itself cannot tell, as a Tink keyset cannot.
//
// For keys of [NewSealer] alone it is not needed: that takes the old ones, too.
func NewRotation(now Sealer, before ...Sealer) (Sealer, error) {
	others := make([]seal.Sealer, len(before))
	for i, s := range before {
		others[i] = s
	}
	s, err := seal.NewRotation(now, others...)
	if err != nil {
		return nil, fmt.Errorf("tokenstore: %w", err)
	}
	return s, nil
}
