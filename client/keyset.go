package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// A keySet are the keys with which a server signs.
//
// It tells a wrong signature from keys that could not be fetched: the one ends a
// grant, the other says nothing about it.
//
// And it takes the kid of a token for what it is, a hint (RFC 7515 section 4.1.4):
// when its keys have changed, hydra 2.3 goes on to name the old one in the ID
// tokens of renewals, which the new one has signed. A grant must not end with that.
type keySet struct {
	remote oidc.KeySet // by the kid
	url    string
	http   *http.Client
	all    atomic.Pointer[[]jose.JSONWebKey] // when the kid was last found to be wrong; nil: never
}

func newKeySet(ctx context.Context, url string) *keySet {
	hc, _ := ctx.Value(oauth2.HTTPClient).(*http.Client) // where oidc.ClientContext puts it
	return &keySet{remote: oidc.NewRemoteKeySet(ctx, url), url: url, http: hc}
}

type keyFetch struct{ failed bool }

type keyFetchKey struct{}

func (k *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	if keys := k.all.Load(); keys != nil {
		if payload, err := verifyWithAny(*keys, jwt); err == nil {
			return payload, nil
		}
	}
	payload, err := k.remote.VerifySignature(ctx, jwt)
	if err == nil {
		return payload, nil
	}
	failed := errors.Unwrap(err) != nil // go-oidc wraps the cause when fetching fails, and only then
	if !failed && k.http != nil {
		keys, ferr := k.fetch(ctx)
		if ferr == nil {
			if payload, verr := verifyWithAny(keys, jwt); verr == nil {
				k.all.Store(&keys)
				return payload, nil
			}
		}
		failed = ferr != nil
	}
	if fetch, ok := ctx.Value(keyFetchKey{}).(*keyFetch); ok {
		fetch.failed = failed
	}
	return nil, err
}

// fetch returns the keys that the server publishes to verify with.
func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&document); err != nil {
		return nil, fmt.Errorf("the key set is no JSON: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, raw := range document.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil && key.IsPublic() && key.Use != "enc" { // others are not for us
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// verifyWithAny verifies the signature with whichever key fits. The verifier that
// asks has checked the algorithm; a key that names one is for no other (RFC 8725
// section 3.1).
func verifyWithAny(keys []jose.JSONWebKey, jwt string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(jwt, algorithms())
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("it is not one signed token")
	}
	alg := jws.Signatures[0].Header.Algorithm
	for _, key := range keys {
		if key.Algorithm != "" && key.Algorithm != alg {
			continue
		}
		key.KeyID = "" // go-jose would compare it
		if payload, err := jws.Verify(&key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key fits")
}

func algorithms() []jose.SignatureAlgorithm {
	var all []jose.SignatureAlgorithm
	for alg := range asymmetric {
		all = append(all, jose.SignatureAlgorithm(alg))
	}
	return all
}
