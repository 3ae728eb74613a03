package seal

import (
	"errors"
	"fmt"
	"slices"
)

// Keys seals with the first of its keys, and opens with any of them.
type Keys struct {
	opaque
	keys []rootKey
}

// NewKeys copies the keys. Each must have KeySize bytes, and not all of them zero.
func NewKeys(keys ...[]byte) (*Keys, error) {
	const advice = "make one with 32 bytes from crypto/rand and keep it where secrets are kept; is an environment variable unset?"
	if len(keys) == 0 {
		return nil, errors.New("no key to seal with: " + advice)
	}
	k := &Keys{}
	for i, key := range keys {
		switch {
		case len(key) != KeySize:
			return nil, fmt.Errorf("key %d of %d has %d bytes instead of %d (a key in base64 or hexadecimal must be decoded first): %s",
				i+1, len(keys), len(key), KeySize, advice)
		case !slices.ContainsFunc(key, func(b byte) bool { return b != 0 }):
			return nil, fmt.Errorf("key %d of %d is all zeros: %s", i+1, len(keys), advice)
		}
		root, err := newRootKey(slices.Clone(key))
		if err != nil {
			return nil, err
		}
		k.keys = append(k.keys, root)
	}
	return k, nil
}

// Encrypt seals plaintext with the first key.
func (k *Keys) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return k.keys[0].seal(header(formatKey), plaintext, associatedData)
}

// Decrypt opens what Encrypt sealed for the same associated data with any of the
// keys.
func (k *Keys) Decrypt(sealed, associatedData []byte) ([]byte, error) {
	plaintext, _, err := k.open(sealed, associatedData)
	return plaintext, err
}

func (k *Keys) open(sealed, associatedData []byte) (plaintext []byte, current bool, err error) {
	b, err := parse(sealed)
	if err != nil {
		return nil, false, err
	}
	if b.format != formatKey {
		return nil, false, fmt.Errorf("%w: with a passphrase", ErrUnknownKey)
	}
	i := slices.IndexFunc(k.keys, func(root rootKey) bool { return root.id == b.id })
	if i < 0 {
		return nil, false, ErrUnknownKey
	}
	plaintext, err = k.keys[i].open(b, associatedData)
	return plaintext, i == 0, err
}
