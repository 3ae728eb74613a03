package seal

import (
	"fmt"
	"slices"
)

// A Sealer is that of package tokenstore.
type Sealer interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(sealed, associatedData []byte) ([]byte, error)
}

// A teller is a Sealer that knows with what it opens.
type teller interface {
	open(sealed, associatedData []byte) (plaintext []byte, current bool, err error)
}

// Open is s.Decrypt, and tells whether s would seal with the same secret now. Of
// a Sealer from elsewhere that is not known; then it says no.
func Open(s Sealer, sealed, associatedData []byte) (plaintext []byte, current bool, err error) {
	if t, ok := s.(teller); ok {
		return t.open(sealed, associatedData)
	}
	plaintext, err = s.Decrypt(sealed, associatedData)
	return plaintext, false, err
}

// Derives tells whether s may derive a key to open sealed bytes that anybody can
// make up.
func Derives(s Sealer) bool {
	switch s := s.(type) {
	case *Passphrase:
		return true
	case *Rotation:
		return Derives(s.now) || slices.ContainsFunc(s.before, Derives)
	}
	return false
}

// Rotation seals with one Sealer, and opens what it or earlier ones sealed.
type Rotation struct {
	opaque
	now    Sealer
	before []Sealer
}

// NewRotation copies before. No Sealer may be nil.
func NewRotation(now Sealer, before ...Sealer) (*Rotation, error) {
	r := &Rotation{now: now}
	for i, s := range append([]Sealer{now}, before...) {
		if s == nil {
			return nil, fmt.Errorf("sealer %d of %d is nil", i+1, 1+len(before))
		}
	}
	r.before = append(r.before, before...)
	return r, nil
}

// Encrypt seals plaintext.
func (r *Rotation) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return r.now.Encrypt(plaintext, associatedData)
}

// Decrypt opens what Encrypt of any of the Sealers returned for the same
// associated data.
func (r *Rotation) Decrypt(sealed, associatedData []byte) ([]byte, error) {
	plaintext, _, err := r.open(sealed, associatedData)
	return plaintext, err
}

func (r *Rotation) open(sealed, associatedData []byte) (plaintext []byte, current bool, err error) {
	if t, ok := r.now.(teller); ok {
		plaintext, current, err = t.open(sealed, associatedData)
	} else {
		plaintext, err = r.now.Decrypt(sealed, associatedData)
		current = err == nil
	}
	for _, s := range r.before {
		if err == nil {
			break
		}
		var other error
		if plaintext, other = s.Decrypt(sealed, associatedData); other == nil {
			return plaintext, false, nil
		}
		err = fmt.Errorf("%w; %w", err, other)
	}
	return plaintext, current, err
}
