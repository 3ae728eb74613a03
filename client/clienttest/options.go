package clienttest

import (
	"net/http"
	"slices"
	"time"

	"github.com/regrant/regrant/client/provider"
)

// Options say what kind of server it is. The zero value is a server that does
// everything right. Set changes them while it runs, InMemory, Issuer and Provider
// excepted.
type Options struct {
	// Name is what the server calls itself on its pages. "": clienttest.
	Name string

	// Provider names a profile of package client/provider, and the server plays that
	// provider: it wants the parameters, scopes and client authentication that the
	// profile names, answers in its way, and Start sets Rotation, Grace, InGrace,
	// RotateAfter and the lifetimes that are zero to what is known of it; a setting
	// that is not known is the strictest. In memory it also has its issuer, its hosts
	// and its paths: client.Config{Provider: name, HTTPClient: s.HTTPClient()} meets it.
	// "": no provider in particular.
	Provider string

	// InMemory lets the server listen on no network; only HTTPClient, UserAgent
	// and Browser reach it.
	InMemory bool

	// Issuer is the issuer identifier. "": http://127.0.0.1 with the port that
	// the system gives, or https://as.example in memory. A server on the network
	// listens at the host and port that it names, which must be on loopback;
	// port 0 is replaced by the real one. A path is kept.
	Issuer string

	// Clients are registered. Empty: the public client PublicClient, and
	// ConfidentialClient with ConfidentialSecret, which authenticates by HTTP
	// Basic.
	Clients []Client

	// Users can log in. Empty: alice and bob, both with the password "password".
	// The first one is who logs in if nothing tells otherwise.
	Users []User

	// UserDenies lets the user refuse every login (access_denied).
	UserDenies bool

	// LoginPage shows a small page, on which a person picks an account and
	// agrees or refuses. False: the authorization endpoint agrees by itself.
	// UserAgent and Browser never see the page.
	LoginPage bool

	AccessTokenLifetime  time.Duration // 0: 5 minutes
	RefreshTokenLifetime time.Duration // of each one, from its issue; 0: no limit
	GrantLifetime        time.Duration // of everything that comes of a login, whatever is done; 0: no limit
	DeviceInterval       time.Duration // between two polls (RFC 8628 section 3.5), in whole seconds; 0: 5 s

	// NoOfflineAccess: no refresh tokens are issued, and offline_access is not
	// among scopes_supported. False: one is issued to whoever asks for
	// offline_access, and to requests without openid, as plain OAuth servers do.
	NoOfflineAccess bool

	// Resources are the resource indicators that the server knows (RFC 8707).
	// Another one is refused with invalid_target.
	Resources []string

	// Rotation says what becomes of a refresh token that was used.
	Rotation Rotation

	// RotateAfter is how old a refresh token has to be for a refresh to replace it; a
	// younger one comes back. 0: each refresh replaces it.
	RotateAfter time.Duration

	// Grace is how long a used refresh token can be used again under
	// RevokeFamily and RefuseReuse; InGrace says what it then brings. 0: not at
	// all. After that time it counts as reused. Under CommitOnUse it is the longest
	// that can be; 0: for ever.
	Grace   time.Duration
	InGrace InGrace

	// BurnOnRefusal: a refresh request that is refused for its scope or its
	// resource consumes its refresh token all the same, as oidc-provider 9 does.
	BurnOnRefusal bool

	// Revocation says what ends with a revoked refresh token.
	Revocation Revocation

	// Tamper changes an answer just before it is sent: the members of every JSON
	// object (metadata, keys, tokens, device codes, user info, errors), or the
	// parameters with which the authorization endpoint sends the user back.
	// Values are what encoding/json encodes; a []string repeats a parameter of a
	// redirect. x tells which request is answered. It is called while no lock is
	// held, from many goroutines.
	//
	//	o.Tamper = func(x clienttest.Exchange, answer map[string]any) {
	//		switch {
	//		case x.Path == clienttest.DiscoveryPath:
	//			delete(answer, "scopes_supported")
	//		case x.GrantType == "refresh_token":
	//			answer["expires_in"] = "3600"
	//			delete(answer, "id_token")
	//		}
	//	}
	Tamper func(x Exchange, answer map[string]any)

	// Claims changes the claims of an ID token before it is signed.
	Claims func(x Exchange, claims map[string]any)

	// API is served at Issuer+"/api" and below to requests with an access token.
	// Nil: an echo that tells who was let in.
	API http.Handler

	profile *provider.Profile // of Provider; nil: none
}

// What a server knows unless Options say otherwise.
const (
	PublicClient       = "test-client"
	ConfidentialClient = "test-confidential"
	ConfidentialSecret = "test-secret"
)

// A Client is a registered client.
type Client struct {
	ID     string
	Secret string // "": public

	// AuthMethod is the one method that the client may use: none,
	// client_secret_basic or client_secret_post. "": none without a Secret, else
	// client_secret_basic.
	AuthMethod string

	// RedirectURIs are compared to the letter, except for the port of an http URI
	// with a loopback address (RFC 8252 section 7.3). Nil: any http URI on
	// loopback.
	RedirectURIs []string
}

// A User can log in.
type User struct {
	Account  string // sub of the ID token
	Password string // "": "password"
}

// A Rotation is what becomes of a refresh token that was used (RFC 9700 section
// 4.14.2).
type Rotation int

const (
	// RevokeFamily: it is replaced. If it comes again, it is refused, and all
	// tokens of its family end with it.
	RevokeFamily Rotation = iota
	// RefuseReuse: it is replaced. If it comes again, it is refused; the newer
	// ones go on.
	RefuseReuse
	// CommitOnUse: it is replaced, and ends when the new access token or the new
	// refresh token is used for the first time. Until then it can be used again;
	// the pair that it brought before ends instead. Afterwards it is refused; the
	// newer ones go on.
	CommitOnUse
	// NoRotation: it stays as it is, and answers to a refresh hold none.
	NoRotation
)

// InGrace is what a used refresh token brings while Options.Grace lasts.
type InGrace int

const (
	// NewPair: a new refresh token and a new access token each time. All of them
	// can be used.
	NewPair InGrace = iota
	// SamePair: the tokens that it brought the first time, also under CommitOnUse. If
	// that access token has ended, there is a new one.
	SamePair
	// OneSlot: a new pair, and the pair that it brought before ends. Once the
	// newer refresh token was used, the older one is out of grace.
	OneSlot
)

// A Revocation is what ends with a refresh token that is revoked at the
// revocation endpoint (RFC 7009 section 2.1).
type Revocation int

const (
	// RevokesFamily: its whole family, with all access tokens.
	RevokesFamily Revocation = iota
	// RevokesToken: it and its access token only. What it was exchanged for
	// before goes on.
	RevokesToken
	// RevokesLogins: the families of all logins of that account at that client,
	// as where all logins of a session are joined in one grant.
	RevokesLogins
)

const (
	authNone  = "none"
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
)

// withDefaults returns a copy in which everything is filled in.
func (o Options) withDefaults() Options {
	if len(o.Clients) == 0 {
		o.Clients = []Client{{ID: PublicClient}, {ID: ConfidentialClient, Secret: ConfidentialSecret}}
		if o.profile != nil && o.profile.ClientAuth != authNone {
			o.Clients[1].AuthMethod = o.profile.ClientAuth
		}
	}
	o.Clients = slices.Clone(o.Clients)
	for i, c := range o.Clients {
		switch {
		case c.AuthMethod != "":
		case c.Secret == "":
			o.Clients[i].AuthMethod = authNone
		default:
			o.Clients[i].AuthMethod = authBasic
		}
	}
	if len(o.Users) == 0 {
		o.Users = []User{{Account: "alice"}, {Account: "bob"}}
	}
	o.Users = slices.Clone(o.Users)
	for i := range o.Users {
		if o.Users[i].Password == "" {
			o.Users[i].Password = "password"
		}
	}
	if o.AccessTokenLifetime == 0 {
		o.AccessTokenLifetime = 5 * time.Minute
	}
	if o.DeviceInterval == 0 {
		o.DeviceInterval = 5 * time.Second
	}
	return o
}

func (o *Options) client(id string) (Client, bool) {
	i := slices.IndexFunc(o.Clients, func(c Client) bool { return c.ID == id })
	if i < 0 {
		return Client{}, false
	}
	return o.Clients[i], true
}

func (o *Options) user(account string) (User, bool) {
	i := slices.IndexFunc(o.Users, func(u User) bool { return u.Account == account })
	if i < 0 {
		return User{}, false
	}
	return o.Users[i], true
}
