package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/regrant/regrant/internal/printable"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/internal/tokenendpoint"
	"github.com/regrant/regrant/tokenstore"
)

const (
	// clockSkew is how far the clocks of server and client may be apart.
	clockSkew = time.Minute
	// maxIDTokenAge refuses an ID token of the distant past at a login.
	maxIDTokenAge = 24 * time.Hour
	// keysTimeout bounds the wait for the server's keys.
	keysTimeout = 10 * time.Second
)

// errKeysUnreachable says that a signature could be neither proved nor refuted.
var errKeysUnreachable = errors.New("the server's keys are out of reach")

// An idVerifier verifies the ID tokens of one server for one client.
type idVerifier struct {
	verifier *oidc.IDTokenVerifier
	lenient  *oidc.IDTokenVerifier // takes expired ones
	clientID string
	issuer   string // as discovered; may hold {tenantid}
}

func newIDVerifier(ctx context.Context, provider *oidc.Provider, issuer, jwks, clientID, configured string) *idVerifier {
	if jwks == "" {
		return nil // an OAuth server without OpenID Connect
	}
	keys := newKeySet(ctx, jwks)
	var algs struct {
		Supported []string `json:"id_token_signing_alg_values_supported"`
	}
	_ = provider.Claims(&algs)
	// "none" and the HMAC algorithms are never accepted: go-jose would take them
	// if we named them (RFC 8725 section 3.1).
	allowed := slices.DeleteFunc(algs.Supported, func(alg string) bool { return !asymmetric[alg] })
	strict := oidc.Config{
		ClientID:             clientID,
		SupportedSigningAlgs: allowed,              // empty: RS256 (OpenID Connect Core section 2)
		SkipIssuerCheck:      issuer != configured, // checked below, with the tenant filled in
		Now:                  func() time.Time { return time.Now().Add(-clockSkew) },
	}
	lenient := strict
	lenient.SkipExpiryCheck = true
	return &idVerifier{
		clientID: clientID,
		issuer:   issuer,
		verifier: oidc.NewVerifier(issuer, keys, &strict),
		lenient:  oidc.NewVerifier(issuer, keys, &lenient),
	}
}

var asymmetric = map[string]bool{
	oidc.RS256: true, oidc.RS384: true, oidc.RS512: true, oidc.ES256: true, oidc.ES384: true, oidc.ES512: true,
	oidc.PS256: true, oidc.PS384: true, oidc.PS512: true, oidc.EdDSA: true,
}

// verify checks the signature and every claim of OpenID Connect Core section
// 3.1.3.7 that does not depend on the occasion. accessToken is what came beside
// the ID token, for at_hash.
func (v *idVerifier) verify(ctx context.Context, raw, accessToken string) (*record.Identity, error) {
	return v.verifyWith(ctx, v.verifier, raw, accessToken)
}

// verifyCached is verify with the keys that are at hand. If they do not do, it
// says that they are out of reach, and fetching them has begun.
func (v *idVerifier) verifyCached(ctx context.Context, raw, accessToken string) (*record.Identity, error) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return v.verifyWith(ctx, v.verifier, raw, accessToken)
}

// verifyOld is verify for an ID token that may have expired since it was issued.
func (v *idVerifier) verifyOld(ctx context.Context, raw string) (*record.Identity, error) {
	return v.verifyWith(ctx, v.lenient, raw, "")
}

func (v *idVerifier) verifyWith(ctx context.Context, verifier *oidc.IDTokenVerifier, raw, accessToken string) (*record.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	if err := checkType(raw, "jwt"); err != nil {
		return nil, fmt.Errorf("the ID token %w", err)
	}
	fetch := new(keyFetch)
	token, err := verifier.Verify(context.WithValue(ctx, keyFetchKey{}, fetch), raw)
	if fetch.failed {
		return nil, errKeysUnreachable
	}
	if err != nil {
		// It may quote a claim, of any length and content.
		return nil, fmt.Errorf("the ID token is not valid: %s", printable.Text(err.Error(), 200))
	}
	if token.AccessTokenHash != "" && accessToken != "" {
		if err := token.VerifyAccessToken(accessToken); err != nil {
			return nil, errors.New("the ID token belongs to another access token (at_hash)")
		}
	}
	return v.check(raw)
}

// check checks every claim that needs no key.
func (v *idVerifier) check(raw string) (*record.Identity, error) {
	id, err := identityOf(raw)
	if err != nil {
		return nil, err
	}
	issuer, err := v.tenantIssuer(raw)
	if err != nil {
		return nil, err
	}
	if issuer == googleIssuer && id.Issuer == googleBare {
		id.Issuer = issuer
	}
	if id.Issuer != issuer {
		return nil, errors.New("the ID token is from another issuer")
	}
	return id, v.checkClaims(id)
}

// Google leaves the scheme out of iss at times; go-oidc makes the same exception.
const (
	googleIssuer = "https://accounts.google.com"
	googleBare   = "accounts.google.com"
)

func (v *idVerifier) checkClaims(id *record.Identity) error {
	switch {
	case id.Subject == "" || len(id.Subject) > 255:
		return errors.New("the ID token has no usable sub")
	case !slices.Contains(id.Audience, v.clientID):
		return errors.New("the ID token is for another client (aud)")
	case id.Party != "" && id.Party != v.clientID:
		return errors.New("the ID token was issued to another client (azp)")
	case len(id.Audience) > 1 && id.Party == "":
		return errors.New("the ID token has audiences that are not known and no azp")
	case id.IssuedAt == 0:
		return errors.New("the ID token has no iat")
	case time.Unix(id.IssuedAt, 0).After(time.Now().Add(5 * clockSkew)):
		return errors.New("the ID token was issued in the future: is the clock of this machine right?")
	}
	return nil
}

// checkLogin checks what holds for the ID token of a login only.
func checkLogin(id *record.Identity, nonce string) error {
	switch {
	case nonce != "" && id.Nonce != nonce:
		return errors.New("the ID token does not belong to this login (nonce)")
	case time.Since(time.Unix(id.IssuedAt, 0)) > maxIDTokenAge:
		return errors.New("the ID token was issued long ago: is the clock of this machine right?")
	}
	return nil
}

// sameIdentity compares the ID token of a renewal with that of the login
// (OpenID Connect Core section 12.2).
func sameIdentity(login, renewed *record.Identity) error {
	switch {
	case renewed.Issuer != login.Issuer:
		return errors.New("the renewed ID token is from another issuer")
	case renewed.Subject != login.Subject:
		return errors.New("the renewed ID token is about another user")
	case !slices.Equal(slices.Sorted(slices.Values(renewed.Audience)), slices.Sorted(slices.Values(login.Audience))):
		return errors.New("the renewed ID token has another audience")
	case renewed.Party != login.Party:
		return errors.New("the renewed ID token has another authorized party (azp)")
	case renewed.AuthTime != 0 && login.AuthTime != 0 && renewed.AuthTime != login.AuthTime:
		return errors.New("the renewed ID token names another time of login (auth_time)")
	case renewed.Nonce != "" && renewed.Nonce != login.Nonce:
		return errors.New("the renewed ID token has another nonce")
	case renewed.IssuedAt < login.IssuedAt-int64(clockSkew/time.Second): // two machines of one server
		return errors.New("the renewed ID token is older than that of the login")
	}
	return nil
}

// checkType refuses a JWT of another kind than JWT in general, or the one that is
// given (RFC 8725 section 3.11). Its error says what the token is.
func checkType(raw, kind string) error {
	if strings.Count(raw, ".") != 2 { // go-oidc would split a megabyte of dots
		return errors.New("is not a JWT")
	}
	head, _, _ := strings.Cut(raw, ".")
	data, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Type string `json:"typ"`
	}
	if err != nil || exactly(data, &header) != nil {
		return errors.New("is not a JWT")
	}
	if t := strings.TrimPrefix(strings.ToLower(header.Type), "application/"); t != "" && t != "jwt" && t != kind {
		return errors.New("is a JWT of another type")
	}
	return nil
}

// payload returns the claims of a JWT without looking at its signature.
func payload(raw string) ([]byte, error) {
	parts := strings.SplitN(raw, ".", 4)
	if len(parts) != 3 {
		return nil, errors.New("the ID token is not a JWT")
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, errors.New("the ID token is not a JWT")
	}
	return data, nil
}

func identityOf(raw string) (*record.Identity, error) {
	data, err := payload(raw)
	if err != nil {
		return nil, err
	}
	var claims struct {
		record.Identity
		Audience audience `json:"aud"`
		IssuedAt number   `json:"iat"`
		AuthTime number   `json:"auth_time"`
	}
	if exactly(data, &claims) != nil {
		return nil, errors.New("the ID token's claims are malformed")
	}
	id := claims.Identity
	id.Audience, id.IssuedAt, id.AuthTime = claims.Audience, claims.IssuedAt.seconds(), claims.AuthTime.seconds()
	return &id, nil
}

// exactly reads an object into a struct whose members have names of lower-case
// letters and "_". Unlike encoding/json, which takes "Sub" for "sub", it compares
// names exactly (RFC 7519 section 7.3): some servers let users add claims.
func exactly(data []byte, v any) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	maps.DeleteFunc(members, func(name string, _ json.RawMessage) bool {
		return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != ""
	})
	data, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// audience is a string or an array of strings (RFC 7519 section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// number is a NumericDate, which may have a fraction (RFC 7519 section 2).
type number float64

// seconds is n within bounds that every machine converts alike.
func (n number) seconds() int64 { return int64(max(-1<<53, min(n, 1<<53))) }

// tenantIssuer fills the tenant of an ID token into the issuer that a document
// for many tenants names.
func (v *idVerifier) tenantIssuer(raw string) (string, error) {
	if !strings.Contains(v.issuer, "{tenantid}") {
		return v.issuer, nil
	}
	data, err := payload(raw)
	if err != nil {
		return "", err
	}
	var claims struct {
		Tenant string `json:"tid"`
	}
	if exactly(data, &claims) != nil || claims.Tenant == "" {
		return "", errors.New("the ID token names no tenant (tid)")
	}
	return strings.ReplaceAll(v.issuer, "{tenantid}", claims.Tenant), nil
}

// An unchecked ID token is one whose signature needs keys that have to be
// fetched first.
type unchecked struct {
	server *server
	rec    *record.Record
	raw    string
}

// badIDToken is the code of a grant that ended because the server vouched for
// another identity than that of the login.
const badIDToken = "invalid_id_token"

// receive builds the next record from the answer to a renewal. The claims of
// the ID token are compared with those of the login before anything is handed
// out; if they do not agree, the server speaks of somebody else now, and the
// grant has ended: an error comes beside the record, which has to be saved in
// any case, since the old refresh token is spent.
//
// A signature is checked at once if the keys are at hand. They are not fetched
// here: the answer may hold the only live refresh token, and is saved first.
func (f *flight) receive(ctx context.Context, s *server, rec *record.Record, n uint64, a *tokenendpoint.Answer, started time.Time) (*record.Record, error) {
	next := renewed(rec, n, a, started)
	f.keeper.client.limit(next)
	if a.IDToken == "" || s.ids == nil {
		return next, nil
	}
	id, err := s.ids.check(a.IDToken)
	if err == nil && rec.Identity != nil {
		err = sameIdentity(rec.Identity, id)
	}
	if err == nil {
		_, err = s.ids.verifyCached(ctx, a.IDToken, a.AccessToken)
	}
	switch {
	case errors.Is(err, errKeysUnreachable):
		f.unchecked = &unchecked{s, next, a.IDToken}
		return next, nil
	case err != nil:
		ended := endedBy(next, err)
		return ended, refusedError(f.keeper.vault.key, ended)
	}
	next.IDToken = a.IDToken
	if next.Identity == nil {
		next.Identity = id
	}
	return next, nil
}

// endedBy is rec without what could be used in the name of another user.
func endedBy(rec *record.Record, cause error) *record.Record {
	c := rec.With(nil)
	c.AccessToken, c.Expiry, c.Lifetime = "", time.Time{}, 0
	c.Refused = &record.Refused{Code: badIDToken, Text: cause.Error(), When: time.Now().UTC().Round(0)}
	return c
}

// checkSignature is the rest of receive, after the callers have their token.
// Keys that are out of reach say nothing about the grant.
func (k *keeper) checkSignature(ctx context.Context, u *unchecked) {
	start := time.Now()
	tell := func(kind EventKind, err error) {
		k.client.emit(ctx, Event{Kind: kind, Key: k.vault.key, Start: start, Duration: time.Since(start), Generation: u.rec.Generation, Err: err})
	}
	id, err := u.server.ids.verify(ctx, u.raw, u.rec.AccessToken)
	if errors.Is(err, errKeysUnreachable) {
		tell(IDTokenUnchecked, err)
		return
	}
	for range 5 {
		rec, v, lerr := k.load(ctx)
		if lerr != nil || !rec.Same(u.rec) || rec.Generation != u.rec.Generation {
			return // there is a newer one
		}
		next := *rec
		switch {
		case err != nil:
			next = *endedBy(rec, err)
		case rec.Intent != nil:
			return // a newer one is on its way, and must not stumble over this
		default:
			next.IDToken = u.raw
			if next.Identity == nil {
				next.Identity = id
			}
		}
		_, serr := k.vault.save(ctx, &next, v)
		if errors.Is(serr, tokenstore.ErrConflict) {
			continue // the intent of another process, say, is no reason to trust this ID token
		}
		if serr == nil {
			k.replace(&next)
			if err != nil {
				tell(LoginNeeded, refusedError(k.vault.key, &next))
			}
		}
		return
	}
}

// replace publishes another record of the generation that callers have.
func (k *keeper) replace(rec *record.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known.Same(rec) && k.known.Generation == rec.Generation {
		k.know(rec)
		k.current.Store(newSnapshot(rec, k.client.cfg.EarlyRefresh, time.Now()))
	}
}
