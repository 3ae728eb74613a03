// Package sealers_test proves that what encrypts elsewhere seals here: a keyset of
// Tink is a tokenstore.Sealer as it is.
package sealers_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// A KMS envelope of Tink has this type, too.
var _ tokenstore.Sealer = tink.AEAD(nil)

// sealer is what a program makes of a keyset.
func sealer(t *testing.T, h *keyset.Handle) tokenstore.Sealer {
	t.Helper()
	a, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKeyset(t *testing.T) *keyset.Handle {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// changed returns the keyset after a change; h stays as it is.
func changed(t *testing.T, h *keyset.Handle, change func(*keyset.Manager) error) *keyset.Handle {
	t.Helper()
	m := keyset.NewManagerFromHandle(h)
	if err := change(m); err != nil {
		t.Fatal(err)
	}
	h, err := m.Handle()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// rotated returns the keyset with a new key that seals, and a keyset of that alone.
func rotated(t *testing.T, h *keyset.Handle) (both, alone *keyset.Handle) {
	t.Helper()
	old, err := h.Primary()
	if err != nil {
		t.Fatal(err)
	}
	both = changed(t, h, func(m *keyset.Manager) error {
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err
		}
		return m.SetPrimary(id)
	})
	return both, changed(t, both, func(m *keyset.Manager) error { return m.Delete(old.KeyID()) })
}

// A place has a server, and a store with the grant of one user.
type place struct {
	as    *clienttest.Server
	store *memstore.Store
}

func (p *place) account(t *testing.T, s tokenstore.Sealer) *client.Account {
	t.Helper()
	cfg := p.as.Config()
	cfg.Store, cfg.Sealer = p.store, s
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.Account("alice")
}

func newPlace(t *testing.T, s tokenstore.Sealer) *place {
	t.Helper()
	p := &place{clienttest.NewServer(t), memstore.New()}
	login := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return p.as.Grant("alice"), nil })
	if err := p.account(t, s).Login(t.Context(), login); err != nil {
		t.Fatal(err)
	}
	return p
}

// works starts a program with this Sealer, which finds the grant, renews it and
// keeps it.
func (p *place) works(t *testing.T, s tokenstore.Sealer) {
	t.Helper()
	me := p.account(t, s)
	if _, err := me.Refresh(t.Context(), nil); err != nil {
		t.Error(err)
		return
	}
	resp, err := me.HTTPClient().Get(p.as.URL(clienttest.APIPath))
	if err != nil {
		t.Error(err)
		return
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the API answers %s, %v", resp.Status, err)
	}
}

func (p *place) sealedAnew(t *testing.T, s tokenstore.Sealer, want int) {
	t.Helper()
	n := 0
	for key, err := range tokenstore.Reseal(t.Context(), p.store, s) {
		if err != nil {
			t.Errorf("%v: %v", key, err)
		}
		n++
	}
	if n != want {
		t.Errorf("%d records were sealed anew instead of %d", n, want)
	}
}

func TestAKeysetSealsGrants(t *testing.T) {
	t.Parallel()
	h := newKeyset(t)
	p := newPlace(t, sealer(t, h))
	p.works(t, sealer(t, h))
	if _, err := p.account(t, sealer(t, newKeyset(t))).Token(t.Context()); err == nil {
		t.Error("another keyset opens it")
	}
	p.works(t, sealer(t, h))
}

func TestAKeysetIsRotatedByItself(t *testing.T) {
	t.Parallel()
	h := newKeyset(t)
	p := newPlace(t, sealer(t, h))
	both, alone := rotated(t, h)
	if _, err := p.account(t, sealer(t, alone)).Token(t.Context()); err == nil {
		t.Error("what the old key has sealed opens without it")
	}
	for range 2 { // a keyset cannot tell which of its keys it has opened with
		p.sealedAnew(t, sealer(t, both), 1)
	}
	p.works(t, sealer(t, both))
	p.works(t, sealer(t, alone))
}

func TestARotationOfKeysetsIsResumed(t *testing.T) {
	t.Parallel()
	h := newKeyset(t)
	p := newPlace(t, sealer(t, h))
	_, alone := rotated(t, h)
	s, err := tokenstore.NewRotation(sealer(t, alone), sealer(t, h))
	if err != nil {
		t.Fatal(err)
	}
	p.sealedAnew(t, s, 1)
	p.sealedAnew(t, s, 0)
	p.works(t, s)
	p.works(t, sealer(t, alone))
}

func TestGrantsMoveFromAKeyToAKeyset(t *testing.T) {
	t.Parallel()
	before, err := tokenstore.NewSealer([]byte("32 bytes, and not from a string."))
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, before)
	now := sealer(t, newKeyset(t))
	s, err := tokenstore.NewRotation(now, before)
	if err != nil {
		t.Fatal(err)
	}
	p.works(t, s) // sealed by the keyset from here on
	p.sealedAnew(t, s, 0)
	p.works(t, now)
}
