package redisstores_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
)

// Field cases: failures of other programs that were reported in public.
// internal/docs/field-cases.md has the list.

func TestFieldCase_giantswarm_mcp_oauth_513_ThirtyWorkersMakeOneRequestPerExpiry(t *testing.T) {
	t.Parallel()
	p := on(lab.StartRedis(t).Socket)
	as := clienttest.NewServer(t)
	cfg := as.Config()
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	sealer, err := tokenstore.NewSealer(secret)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Sealer = sealer
	worker := func() *client.Account {
		cfg := cfg
		cfg.Store = p.store(t)
		c, err := client.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c.Account("alice")
	}
	as.Set(func(o *clienttest.Options) { o.AccessTokenLifetime = time.Second })
	var workers []*client.Account
	for range 30 {
		workers = append(workers, worker())
	}
	err = workers[0].Login(t.Context(), client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return as.Grant("alice"), nil }))
	if err != nil {
		t.Fatal(err)
	}
	as.Set(func(o *clienttest.Options) { o.AccessTokenLifetime = time.Minute })
	time.Sleep(1100 * time.Millisecond)
	as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 300 * time.Millisecond}, 1)
	var all sync.WaitGroup
	for _, me := range workers {
		all.Go(func() {
			if _, err := me.Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := as.RefreshCount(); n != 1 || as.Reused() != 0 {
		t.Errorf("%d token requests, %d of them with a token that was used before", n, as.Reused())
	}
}

func TestFieldCase_hickford_git_credential_oauth_44_WhatTheServerGaveComesBackWhole(t *testing.T) {
	t.Parallel()
	fleet.KeepsWhole(t, openPlace, on(lab.StartRedis(t).Socket).String(), 64<<10)
}

// It fails if a name, or what lies under it, changes: then what users have must go
// on being read.
func TestFieldCase_AzureAD_microsoft_authentication_library_for_go_423_WhatAnEarlierVersionKeptInRedisIsRead(t *testing.T) {
	t.Parallel()
	p := place{Addrs: []string{lab.StartRedis(t).Socket}} // of nobody else, with the prefix of whoever sets none
	const (
		record  = "regrant:{13}d3687f4f243b8409819e4c7b97c492bbc7968f01ca2da07f2d18da493e7cfff2"
		index   = "regrant:{13}index"
		member  = "https://issuer.example\x00backend\x00alice"
		version = "56WMLQD2QJ2UKQVLDJMPOUE7RS"
		sealed  = "\x00a sealed record\xff"
	)
	rdb := p.client(t)
	if err := errors.Join(rdb.Set(t.Context(), record, version+sealed, 0).Err(), rdb.ZAdd(t.Context(), index, redis.Z{Member: member}).Err()); err != nil {
		t.Fatal(err)
	}
	s := p.store(t)
	data, v, err := s.Load(t.Context(), key)
	if string(data) != sealed || v != version || err != nil {
		t.Errorf("Load returned %q, version %q, %v", data, v, err)
	}
	fleet.Lists(t, s, key)
	if v, err = s.Save(t.Context(), key, []byte("new"), v); err != nil {
		t.Fatal(err)
	}
	if got := rdb.Get(t.Context(), record).Val(); got != string(v)+"new" {
		t.Errorf("a renewal has left %q where an earlier version would look", got)
	}
	if err := s.Delete(t.Context(), key, v); err != nil {
		t.Error(err)
	}
	if left := rdb.Keys(t.Context(), "*").Val(); len(left) != 0 {
		t.Errorf("after Delete there are %q", left)
	}
}
