// Package provider tells what real OAuth providers do with refresh tokens: how one
// is obtained, whether it rotates, what happens when a replaced one comes again, how
// long it lives, and in what ways the answers differ from RFC 6749.
//
// The table is [providers.md], which people read and this package embeds. Each fact
// has the address of its source and a date, and says whether it is verified. Package
// client uses a profile by itself if Config.Issuer is a known one, or if
// Config.Provider names it.
//
// [providers.md]: https://github.com/regrant/regrant/blob/main/client/provider/providers.md
package provider

import (
	"cmp"
	"net/url"
	"slices"
	"time"
)

// A Profile is what is known about one provider. The zero Profile is that of a
// provider of which nothing is known.
type Profile struct {
	Name  string // in lower case, for programs: "google"
	Title string // for people: "Google"

	// Issuers are issuer identifiers; {x} stands for one label of a host name, or
	// one segment of a path. Without Discovery they are names under which grants are
	// kept. Empty: the profile is found by its Name alone.
	Issuers []string

	// Discovery tells that the endpoints are found by OpenID Connect Discovery.
	// Otherwise they are given here; {issuer} stands for the issuer.
	Discovery     bool
	AuthURL       string
	TokenURL      string
	RefreshURL    string // token endpoint for refreshes; "": TokenURL
	DeviceURL     string // "": none that is known
	RevocationURL string // "": none that is known

	// Unsupported says why a program cannot log in there with package client; "": it can.
	Unsupported string

	Params      url.Values // of the authorization request, without which no refresh token comes
	TokenParams url.Values // the same, of every token request
	Scopes      []string   // without which no refresh token comes
	ClientAuth  string     // client_secret_basic, client_secret_post, none; "": as discovered, or not known

	Rotation Rotation
	Reuse    Reuse
	Grace    time.Duration // how long Reuse lasts; 0: it has no end, or is not known
	SamePair bool          // a repeat within Grace brings the same tokens; false: new ones, or not known

	// Lifetimes; 0: none, a setting, or not known.
	AccessLifetime time.Duration // of the access token
	Idle           time.Duration // of a refresh token that nobody uses
	Absolute       time.Duration // of the grant from the login on, whatever is done

	Answer Answer

	Advice string // for a person whom a login has brought no refresh token
	Ended  string // for a person whose grant has ended

	Facts []Fact // all of it, as the table has it, in its order
}

// An Answer is how the token endpoint speaks otherwise than RFC 6749 has it.
type Answer struct {
	Nested         string        // member that holds the tokens when they are not at the top
	NestedOnce     bool          // only in the answer to a login; refreshed tokens are at the top
	OK             bool          // a member ok tells whether it succeeded
	ErrorStatus    int           // HTTP status of errors; 0: 400, or 401
	ErrorMember    string        // member that holds the error code; "": error
	ErrorNone      string        // value of ErrorMember that means success; "": there is no such member then
	ErrorObject    bool          // error is an object, and its member code the code
	Dead           []string      // codes that mean invalid_grant; "code: description" if only with that error_description
	ScopeSeparator string        // of scopes, in requests as well; "": a space
	TokenTypes     []string      // types other than Bearer that mean Bearer; "" among them: the member may be missing
	Milliseconds   bool          // expires_in counts milliseconds
	Text           bool          // expires_in is a string
	RefreshExpires string        // member that tells the lifetime of the refresh token; "": none
	NoLifetime     bool          // expires_in may be missing
	Lifetime       time.Duration // what it then means; 0: not known
	Form           bool          // answers are forms unless JSON is asked for
	JSONRequest    bool          // requests are JSON objects
}

// A Fact is one row of the table.
type Fact struct {
	Name     string // "rotation"
	Value    string // "always"
	Verified bool   // the provider says so, or software that works with it, or the wire
	Source   string // URL
	Date     string // of the statement, or on which the source was read: 2006-01-02
}

// Rotation tells whether a refresh brings a new refresh token.
type Rotation int

// What a refresh brings.
const (
	RotationUnknown Rotation = iota
	RotationNever
	RotationAlways
	RotationDaily   // about once a day; in between the same token comes back
	RotationSetting // the client's registration decides
)

// Reuse tells what happens when a refresh token comes again after it was replaced.
// It decides whether a request whose answer was lost can be repeated.
type Reuse int

const (
	ReuseUnknown  Reuse = iota // treat it as ReuseStrict
	ReuseNone                  // nothing replaces it: a repeat is always safe
	ReuseOverlap               // it goes on working: a repeat is always safe
	ReuseGrace                 // it works for Profile.Grace; 0: for as long as the registration says, which may be not at all
	ReuseUntilUse              // it works until what it brought is used, and for Profile.Grace at most
	ReuseStrict                // it is refused, and often everything that came of its login ends
)

// Repeats tells for how long a refresh request whose answer was lost can be sent
// again, as often as need be. Zero means that a repeat is a risk: as far as is known,
// or because what is known of Reuse is not verified.
func (p *Profile) Repeats() time.Duration {
	if !slices.ContainsFunc(p.Facts, func(f Fact) bool { return f.Name == "reuse" && f.Verified }) {
		return 0
	}
	switch p.Reuse {
	case ReuseNone, ReuseOverlap:
		return forEver
	case ReuseUntilUse:
		return cmp.Or(p.Grace, forEver)
	case ReuseGrace:
		return p.Grace
	}
	return 0
}

const forEver = 100 * 365 * 24 * time.Hour
