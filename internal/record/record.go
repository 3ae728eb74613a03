// Package record is what lies at rest: one grant, with everything that the
// rotation protocol has to know about it. Only package client reads it, so new
// members never break a store.
package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Format is the newest format that this package reads and the one it writes.
// It grows only when an older program would misread a record.
const Format = 1

// A Record is one grant. What a Record points to is never changed, so a copy of
// the struct is a copy: it may share maps, slices and pointers with the original.
type Record struct {
	// Grant names the grant: random at a login, derived from the refresh token
	// at an import. A record of another grant always wins over ours.
	Grant string `json:"grant"`
	// Generation is the number of the attempt that brought these tokens. In
	// one grant the higher one wins, whoever saves last.
	Generation uint64 `json:"generation"`

	RefreshToken string                     `json:"refresh_token,omitempty"`
	AccessToken  string                     `json:"access_token,omitempty"`
	TokenType    string                     `json:"token_type,omitempty"`
	Extra        map[string]json.RawMessage `json:"extra,omitempty"`
	IDToken      string                     `json:"id_token,omitempty"` // the newest that was verified
	Identity     *Identity                  `json:"identity,omitempty"` // who logged in

	Requested []string `json:"requested,omitempty"` // scopes that the login asked for
	Granted   []string `json:"granted,omitempty"`   // scopes that the server granted

	LoggedIn      time.Time     `json:"logged_in"`
	Renewed       time.Time     `json:"renewed"`                 // start of the request that brought the access token
	Lifetime      time.Duration `json:"lifetime,omitempty"`      // of the access token, from Renewed; 0: not said
	Expiry        time.Time     `json:"expiry,omitzero"`         // Renewed + Lifetime; zero: not said
	RefreshExpiry time.Time     `json:"refresh_expiry,omitzero"` // of the refresh token, if the server said
	GrantExpiry   time.Time     `json:"grant_expiry,omitzero"`   // of the whole grant, if it is known

	Intent *Intent `json:"intent,omitempty"`
	// Unanswered is the first attempt on this generation whose answer never
	// arrived, if there was one: evidence, should the server refuse the token.
	Unanswered *Intent  `json:"unanswered,omitempty"`
	Refused    *Refused `json:"refused,omitempty"`
}

// Identity holds what the ID token of the login said. Every later ID token has
// to agree with it (OpenID Connect Core 1.0 section 12.2).
type Identity struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Party    string   `json:"azp,omitempty"`
	Nonce    string   `json:"nonce,omitempty"`
	IssuedAt int64    `json:"iat"`
	AuthTime int64    `json:"auth_time,omitempty"`
	Session  string   `json:"sid,omitempty"` // OpenID Connect Back-Channel Logout 1.0 section 2.1
}

// An Intent says that somebody is about to spend the refresh token, or has. It
// is the lease, the evidence after a crash, and the proof that the store could
// be written before a single-use token was spent.
type Intent struct {
	ID      string        `json:"id"`      // random, one per flight
	Attempt uint64        `json:"attempt"` // the generation that the answer will have
	Lease   time.Duration `json:"lease"`   // how long others wait while the record does not change
	Locked  bool          `json:"locked,omitempty"`
	Started time.Time     `json:"started"` // of the last write that kept it alive: the lease counts from here

	// Who holds it, and since when: for a person who looks on. No rule of the
	// protocol reads them, and older versions do not write them.
	Holder string    `json:"holder,omitempty"` // host name and process id
	Since  time.Time `json:"since,omitzero"`
}

// Refused says that the server declared the refresh token of this generation
// dead. It loses against any higher generation and any other grant.
type Refused struct {
	Code string    `json:"code"`
	When time.Time `json:"when"`
	Text string    `json:"text,omitempty"`
}

// Errors of Decode.
var (
	// ErrNewer: a newer version of the program wrote the record.
	ErrNewer = errors.New("the record was written by a newer version of this library")
	// ErrDamaged: the bytes are no record.
	ErrDamaged = errors.New("the record is damaged")
	// ErrMoved: the record belongs to another key.
	ErrMoved = errors.New("the record belongs to another account, client or issuer")
)

// An envelope is what the bytes hold.
type envelope struct {
	Format int    `json:"format"`
	Key    string `json:"key"` // the canonical tokenstore.Key: a record that was moved does not open
	*Record
}

// Encode returns r as bytes, for key.
func (r *Record) Encode(key string) ([]byte, error) {
	return json.Marshal(envelope{Format, key, r})
}

// Decode reads what Encode wrote for the same key.
func Decode(data []byte, key string) (*Record, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Format < 1 {
		return nil, ErrDamaged // the cause may quote the content
	}
	if head.Format > Format {
		return nil, fmt.Errorf("%w (format %d, this one reads up to %d)", ErrNewer, head.Format, Format)
	}
	e := envelope{Record: new(Record)}
	if err := json.Unmarshal(data, &e); err != nil || e.Grant == "" || e.Lifetime < 0 ||
		e.Intent != nil && (e.Intent.ID == "" || e.Intent.Lease < 0) {
		return nil, ErrDamaged
	}
	if e.Key != key {
		return nil, ErrMoved
	}
	return e.Record, nil
}

// Same tells whether both are of one grant.
func (r *Record) Same(o *Record) bool { return r != nil && o != nil && r.Grant == o.Grant }

// With returns a copy that carries intent (nil: none).
func (r *Record) With(intent *Intent) *Record {
	c := *r
	c.Intent = intent
	return &c
}

// Format keeps the tokens out of every text: fmt asks it for %#v, too, and for
// verbs that make no sense.
func (r Record) Format(s fmt.State, _ rune) { fmt.Fprint(s, r.summary()) }

// LogValue keeps the tokens out of package slog.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.summary()) }

func (r *Record) summary() string {
	return fmt.Sprintf("grant of generation %d, expiring %v", r.Generation, r.Expiry.Format(time.RFC3339))
}
