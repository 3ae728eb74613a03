package tokenstore

import (
	"context"
	"errors"
	"strconv"
)

// A Key names one grant: the one that an issuer gave to a client for an
// account. No field is ever empty; each is valid UTF-8 without control
// characters, and has up to 4 KiB. Keys are compared byte by byte; a store must
// not fold case.
type Key struct {
	Issuer   string // the issuer identifier of the authorization server (RFC 8414 section 2)
	ClientID string // the client identifier at that server (RFC 6749 section 2.2)
	Account  string // the program's own name for the account: a profile, a user id
}

// String returns a canonical form that no other key shares. It can be long and
// hold any character: to make a file name or a keychain entry of it, hash it.
func (k Key) String() string {
	// Length prefixes keep the fields apart whatever they contain, so that
	// ("a", "bc") and ("ab", "c") never meet.
	return "regrant:" + field(k.Issuer) + field(k.ClientID) + field(k.Account)
}

// AssociatedData is what the seal of a record binds it to: the second argument of
// [Sealer.Encrypt] and [Sealer.Decrypt].
func (k Key) AssociatedData() []byte { return []byte(k.String()) }

// Matches reports whether each field of k equals that of match, where an empty
// field of match matches everything: what a [Lister] yields.
func (k Key) Matches(match Key) bool {
	equal := func(field, want string) bool { return want == "" || field == want }
	return equal(k.Issuer, match.Issuer) && equal(k.ClientID, match.ClientID) && equal(k.Account, match.Account)
}

func field(s string) string { return strconv.Itoa(len(s)) + ":" + s + "," }

// A Version names one content of one key, for ever. It is opaque to everybody
// but the store that made it, and unpredictable: a counter that starts again
// after a Delete would let a write based on the deleted record succeed.
//
// The empty Version stands for "there is nothing", unless Load said otherwise.
type Version string

// A Store keeps opaque bytes under a Key and swaps them atomically.
//
// All methods are safe for concurrent use by goroutines, and by processes if
// the place is shared between them. They honour ctx: when it ends they return
// promptly with an error for which errors.Is(err, ctx.Err()) holds. They keep
// no reference to data after they return, and what they return belongs to the
// caller.
//
// Load, Save and Delete are linearizable for a key: Load sees the last Save
// that was acknowledged. A record has up to 1 MiB; what is loaded equals what
// was saved byte for byte.
type Store interface {
	// Load returns what was saved last under key, and its version.
	//
	// If there is nothing it returns an error for which
	// errors.Is(err, ErrNotFound) holds; the version that it returns with that
	// error is what a creating Save passes as old, usually "".
	//
	// If there is something that the store itself cannot read (cut short,
	// damaged, of a newer format) it returns an [ErrUnreadable] together with
	// the version of what is there, so that a caller who means to can delete or
	// replace it; nobody else ever does. With any other error the version is "":
	// the place could not be asked.
	Load(ctx context.Context, key Key) (data []byte, v Version, err error)

	// Save replaces what lies under key, provided that its version is still
	// old, and returns the new version. Otherwise it changes nothing and
	// returns an error for which errors.Is(err, ErrConflict) holds.
	//
	// After any other error the data may or may not have been written: the
	// caller loads again and looks.
	Save(ctx context.Context, key Key, data []byte, old Version) (Version, error)

	// Delete removes what lies under key, provided that its version is still
	// old; otherwise it changes nothing and returns an ErrConflict. Deleting
	// what is not there is no error.
	Delete(ctx context.Context, key Key, old Version) error
}

// Errors that a Store returns, wrapped or as they are.
var (
	// ErrNotFound says that nothing is kept under the key.
	ErrNotFound = errors.New("tokenstore: nothing is kept under this key")

	// ErrConflict says that the record is no longer the one that the caller
	// based its change on: somebody else saved or deleted it meanwhile.
	ErrConflict = errors.New("tokenstore: the record was changed meanwhile")

	// ErrUnreadable says that a record is there, and that it cannot be read:
	// it is damaged, of a newer format, or sealed with something else. Trying
	// again does not help, but another program, key or passphrase may.
	ErrUnreadable = errors.New("tokenstore: the record cannot be read")

	// ErrUnavailable says that there is no such place on this machine, and
	// that trying again will not help: no keychain service, an unsupported
	// platform. A place that is locked, slow or down is not unavailable.
	ErrUnavailable = errors.New("tokenstore: there is no such store on this machine")
)
