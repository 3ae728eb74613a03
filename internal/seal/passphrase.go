package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/crypto/argon2"
)

// The second recommended option of RFC 9106 section 4: a tenth of a second and
// 64 MiB on a laptop.
const (
	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4

	passphraseSaltSize = 16
)

// maxDerived bounds how many derived keys are remembered. A place has about as
// many salts as there were first runs that knew nothing of each other.
const maxDerived = 64

// Passphrase seals with a key derived from a passphrase (argon2id, RFC 9106).
type Passphrase struct {
	opaque
	passphrase []byte

	// deriving is held during a derivation: one salt is derived once, and two
	// salts do not take twice the memory.
	deriving sync.Mutex

	mu      sync.Mutex // guards what follows; never held during a derivation
	derived []*derived // the most recently used last
	current *derived   // seals; nil until something was opened or sealed
}

// A derived is the key that belongs to a salt.
type derived struct {
	salt [passphraseSaltSize]byte
	root rootKey
}

// NewPassphrase derives nothing yet. The passphrase must not be empty.
func NewPassphrase(passphrase string) (*Passphrase, error) {
	if passphrase == "" {
		return nil, errors.New("the passphrase is empty: is an environment variable unset?")
	}
	return &Passphrase{passphrase: []byte(passphrase)}, nil
}

// Encrypt seals plaintext.
func (p *Passphrase) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	d, err := p.sealing()
	if err != nil {
		return nil, err
	}
	return d.root.seal(append(header(formatPassphrase), d.salt[:]...), plaintext, associatedData)
}

// Decrypt opens what Encrypt sealed for the same associated data with the same
// passphrase.
func (p *Passphrase) Decrypt(sealed, associatedData []byte) ([]byte, error) {
	b, err := parse(sealed)
	if err != nil {
		return nil, err
	}
	if b.format != formatPassphrase {
		return nil, fmt.Errorf("%w: with a key, not with a passphrase", ErrUnknownKey)
	}
	d, err := p.derive([passphraseSaltSize]byte(b.passphraseSalt))
	if err != nil {
		return nil, err
	}
	if d.root.id != b.id {
		return nil, ErrWrongPassphrase
	}
	plaintext, err := d.root.open(b, associatedData)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = d
	return plaintext, nil
}

// open finds everything current that opens: another salt is no other secret.
func (p *Passphrase) open(sealed, associatedData []byte) (plaintext []byte, current bool, err error) {
	plaintext, err = p.Decrypt(sealed, associatedData)
	return plaintext, err == nil, err
}

// sealing returns the key to seal with: that of the record opened last, because
// a program that has just paid for a derivation to read should not pay for
// another one to write; and a fresh one if nothing was opened.
func (p *Passphrase) sealing() (*derived, error) {
	if d := p.inUse(); d != nil {
		return d, nil
	}
	p.deriving.Lock()
	defer p.deriving.Unlock()
	if d := p.inUse(); d != nil {
		return d, nil
	}
	var salt [passphraseSaltSize]byte
	_, _ = rand.Read(salt[:]) // never fails
	d, err := p.argon2id(salt)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = d
	return d, nil
}

func (p *Passphrase) inUse() *derived {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// derive returns the key of a salt.
func (p *Passphrase) derive(salt [passphraseSaltSize]byte) (*derived, error) {
	if d := p.recall(salt); d != nil {
		return d, nil
	}
	p.deriving.Lock()
	defer p.deriving.Unlock()
	if d := p.recall(salt); d != nil {
		return d, nil
	}
	return p.argon2id(salt)
}

func (p *Passphrase) recall(salt [passphraseSaltSize]byte) *derived {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.derived, func(d *derived) bool { return d.salt == salt })
	if i < 0 {
		return nil
	}
	d := p.derived[i]
	p.derived = append(slices.Delete(p.derived, i, i+1), d)
	return d
}

// argon2id computes and remembers; p.deriving is held.
func (p *Passphrase) argon2id(salt [passphraseSaltSize]byte) (*derived, error) {
	root, err := newRootKey(argon2.IDKey(p.passphrase, salt[:], argonTime, argonMemory, argonThreads, KeySize))
	if err != nil {
		return nil, err
	}
	d := &derived{salt: salt, root: root}
	p.remember(d)
	return d, nil
}

// remember adds a derived key, and forgets the one that was used longest ago.
func (p *Passphrase) remember(d *derived) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.derived) == maxDerived {
		p.derived = slices.Delete(p.derived, 0, 1)
	}
	p.derived = append(p.derived, d)
}
