package tokenstore

// A Sealer encrypts a record before a [Store] gets it. Its methods are those of
// tink.AEAD on purpose: any Tink keyset, and so any KMS envelope, is a Sealer as
// it is.
//
// The associated data ([Key.AssociatedData]) is not encrypted but bound to the
// ciphertext: what was sealed for one [Key] does not open for another, so a record
// that is moved to another row is noticed. Both methods are safe for concurrent use.
type Sealer interface {
	// Encrypt seals plaintext. Two calls never return the same bytes.
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	// Decrypt opens what Encrypt returned for the same associated data, or
	// fails; it never returns anything that was tampered with.
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}
