package helper

import (
	"context"
	"errors"
	"time"

	"github.com/regrant/regrant/client"
)

// ErrNoIDToken says that the server has given no ID token that still works.
var ErrNoIDToken = errors.New("there is no ID token that still works")

// soon is how long an ID token has to work for: whoever gets it needs a moment.
const soon = 30 * time.Second

// IDToken returns an ID token that works now. Its end is its own, not that of the access
// token, and a renewal need not bring another (OpenID Connect Core 1.0 section 12.2).
func IDToken(ctx context.Context, me *client.Account) (raw string, end time.Time, err error) {
	t, err := me.Token(ctx)
	for renewed := false; err == nil; renewed = true {
		raw, _ = t.Extra("id_token").(string)
		var claims struct {
			Expiry int64 `json:"exp"`
		}
		if raw == "" || me.Claims(ctx, &claims) != nil {
			return "", end, ErrNoIDToken // no renewal brings what the login did not
		}
		end = time.Unix(claims.Expiry, 0)
		left := time.Until(end)
		switch {
		case left > soon, renewed && left > 0:
			return raw, end, nil
		case renewed:
			return "", end, ErrNoIDToken
		}
		t, err = me.Refresh(ctx, t)
	}
	return "", end, err
}
