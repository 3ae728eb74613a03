package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/httptransport"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/auth/bearer"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

const (
	issuer   = "https://as.example"
	clientID = "bench"
)

// A fetch is one token request, and nothing else: what each peer caches.
type fetch func(context.Context) (*oauth2.Token, error)

func (f fetch) Token() (*oauth2.Token, error) { return f(context.Background()) }

// static is a fetch of one token that is good for an hour, of that length.
func static(length int) fetch {
	t := &oauth2.Token{AccessToken: letters(length), TokenType: "Bearer", Expiry: time.Now().Add(time.Hour)}
	return func(context.Context) (*oauth2.Token, error) { return t, nil }
}

func letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return string(b)
}

func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

func newSealer(tb testing.TB, key []byte) tokenstore.Sealer {
	tb.Helper()
	s, err := tokenstore.NewSealer(key)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// newClient returns a client with a sealer, that ends with the case. endpoint is
// what carries its token requests.
func newClient(tb testing.TB, store tokenstore.Store, endpoint http.RoundTripper, set func(*client.Config)) *client.Client {
	tb.Helper()
	cfg := client.Config{
		Issuer: issuer, ClientID: clientID, Store: store, Sealer: newSealer(tb, newKey()),
		Endpoint:   oauth2.Endpoint{TokenURL: issuer + "/token"},
		HTTPClient: &http.Client{Transport: endpoint},
	}
	if set != nil {
		set(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// logIn gives the account a grant whose access token get brings.
func logIn(tb testing.TB, me *client.Account, get fetch) {
	tb.Helper()
	err := me.Login(tb.Context(), client.FlowFunc(func(ctx context.Context) (*oauth2.Token, error) {
		t, err := get(ctx)
		if err != nil {
			return nil, err
		}
		c := *t
		if c.RefreshToken == "" {
			c.RefreshToken = "refresh-" + me.Name()
		}
		return &c, nil
	}))
	if err != nil {
		tb.Fatal(err)
	}
}

// freshAccount returns an account with a token that is good for an hour.
func freshAccount(tb testing.TB, length int) *client.Account {
	tb.Helper()
	me := newClient(tb, memstore.New(), unreachable{}, nil).Account("alice")
	logIn(tb, me, static(length))
	return me
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("nobody should have asked the server")
}

// google caches get as cloud.google.com/go/auth does.
func google(get fetch, o *auth.CachedTokenProviderOptions) auth.TokenProvider {
	return auth.NewCachedTokenProvider(googleProvider(get), o)
}

type googleProvider fetch

func (p googleProvider) Token(ctx context.Context) (*auth.Token, error) {
	t, err := p(ctx)
	if err != nil {
		return nil, err
	}
	return &auth.Token{Value: t.AccessToken, Type: t.TokenType, Expiry: t.Expiry}, nil
}

func googleTransport(tb testing.TB, get fetch, base http.RoundTripper) http.RoundTripper {
	tb.Helper()
	c := &http.Client{Transport: base}
	creds := auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: google(get, nil)})
	if err := httptransport.AddAuthorizationMiddleware(c, creds); err != nil {
		tb.Fatal(err)
	}
	return c.Transport
}

// awsCache caches get as aws-sdk-go-v2 does.
func awsCache(get fetch, window time.Duration) *aws.CredentialsCache {
	return aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		t, err := get(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret", SessionToken: t.AccessToken, CanExpire: true, Expires: t.Expiry}, nil
	}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = window })
}

// smithy caches get as the AWS SDK does a bearer token.
func smithy(get fetch) *bearer.TokenCache {
	return bearer.NewTokenCache(bearer.TokenProviderFunc(func(ctx context.Context) (bearer.Token, error) {
		t, err := get(ctx)
		if err != nil {
			return bearer.Token{}, err
		}
		return bearer.Token{Value: t.AccessToken, CanExpire: true, Expires: t.Expiry}, nil
	}))
}

// msalMargin is how long before its end MSAL Go takes a token for expired.
const msalMargin = 5 * time.Minute

var msalScopes = []string{"https://graph.microsoft.com/.default"}

// msal caches get as MSAL Go does for an application.
func msal(tb testing.TB, get fetch) confidential.Client {
	tb.Helper()
	cred := confidential.NewCredFromTokenProvider(func(ctx context.Context, _ confidential.TokenProviderParameters) (confidential.TokenProviderResult, error) {
		t, err := get(ctx)
		if err != nil {
			return confidential.TokenProviderResult{}, err
		}
		return confidential.TokenProviderResult{AccessToken: t.AccessToken, ExpiresInSeconds: max(1, int(time.Until(t.Expiry).Round(time.Second).Seconds()))}, nil
	})
	c, err := confidential.New("https://login.microsoftonline.com/tenant", clientID, cred,
		confidential.WithInstanceDiscovery(false), confidential.WithHTTPClient(&http.Client{Transport: noMicrosoft{}}))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// noMicrosoft shows what MSAL looks up by itself.
type noMicrosoft struct{}

func (noMicrosoft) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("nobody should have asked for %s", r.URL)
}
