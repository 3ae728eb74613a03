// Package seal encrypts records: AES-256-GCM under a key of its own for every
// record, derived with HKDF-SHA256 (RFC 5869) from a long-lived root key and a
// random salt. So no number of records wears a root key out (a single GCM key
// must not seal more than 2^32 messages with random nonces, NIST SP 800-38D
// section 8.3), and only algorithms approved for FIPS 140 are used.
//
// Sealed bytes describe themselves, so that what does not open can be explained:
//
//	"regrant" format(1) [passphrase salt(16)] key id(8) salt(32) nonce(12) ciphertext tag(16)
//
// The passphrase salt is there in [formatPassphrase] only. Everything before the
// nonce is authenticated together with the associated data.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// Why sealed bytes do not open.
var (
	ErrNotSealed       = errors.New("these are not sealed bytes, or their beginning is lost")
	ErrNewerFormat     = errors.New("sealed by a newer version of this program: update it")
	ErrUnknownKey      = errors.New("sealed with a key that this sealer does not hold")
	ErrWrongPassphrase = errors.New("sealed with another passphrase")
	ErrDamaged         = errors.New("the sealed bytes are damaged, or were moved here from another record")
)

const magic = "regrant"

// A format fixes every algorithm and its parameters: sealed bytes from a hostile
// place must not choose how much memory a key derivation takes.
const (
	formatKey        byte = 1
	formatPassphrase byte = 2
)

// KeySize is the length of a root key in bytes.
const KeySize = 32

const (
	idSize   = 8
	saltSize = 32
	overhead = 12 + 16 // nonce and tag
)

// A rootKey is a key that record keys are derived from. Its id tells, without
// telling anything about the key, which of several keys sealed a record.
type rootKey struct {
	secret []byte
	id     [idSize]byte
}

func newRootKey(secret []byte) (rootKey, error) {
	id, err := hkdf.Key(sha256.New, secret, nil, "regrant key id", idSize)
	if err != nil {
		return rootKey{}, err
	}
	return rootKey{secret: secret, id: [idSize]byte(id)}, nil
}

// aead returns the cipher of the record with this salt. It draws its nonce by
// itself and puts it in front of the ciphertext.
func (k rootKey) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.secret, salt, "regrant record", KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal appends the sealed plaintext to head, which it authenticates.
func (k rootKey) seal(head, plaintext, associatedData []byte) ([]byte, error) {
	head = append(head, k.id[:]...)
	salt := len(head)
	head = slices.Grow(head, saltSize+len(plaintext)+overhead)[:salt+saltSize]
	_, _ = rand.Read(head[salt:]) // never fails
	aead, err := k.aead(head[salt:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(head, nil, plaintext, bind(head, associatedData)), nil
}

// open reverses seal.
func (k rootKey) open(b box, associatedData []byte) ([]byte, error) {
	aead, err := k.aead(b.salt)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, nil, b.body, bind(b.head, associatedData))
	if err != nil {
		return nil, ErrDamaged
	}
	return plaintext, nil
}

// bind is what GCM authenticates beside the plaintext. The head has one length
// per format, so the two parts cannot be shifted against each other.
func bind(head, associatedData []byte) []byte {
	return slices.Concat(head, associatedData)
}

// A box is sealed bytes taken apart.
type box struct {
	head           []byte // everything before body
	format         byte
	passphraseSalt []byte // only in formatPassphrase
	id             [idSize]byte
	salt           []byte
	body           []byte // nonce, ciphertext, tag
}

func parse(sealed []byte) (box, error) {
	if len(sealed) <= len(magic) || string(sealed[:len(magic)]) != magic {
		return box{}, ErrNotSealed
	}
	b := box{format: sealed[len(magic)]}
	rest := sealed[len(magic)+1:]
	take := func(n int) []byte {
		taken := rest[:n]
		rest = rest[n:]
		return taken
	}
	size := idSize + saltSize + overhead
	switch b.format {
	case formatKey:
	case formatPassphrase:
		size += passphraseSaltSize
	default:
		return box{}, fmt.Errorf("%w (format %d)", ErrNewerFormat, b.format)
	}
	if len(rest) < size {
		return box{}, fmt.Errorf("%w: cut short", ErrDamaged)
	}
	if b.format == formatPassphrase {
		b.passphraseSalt = take(passphraseSaltSize)
	}
	b.id = [idSize]byte(take(idSize))
	b.salt = take(saltSize)
	b.head, b.body = sealed[:len(sealed)-len(rest)], rest
	return b, nil
}

func header(format byte) []byte { return append([]byte(magic), format) }
