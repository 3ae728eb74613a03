package redisstores_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
)

// A field case: what other programs did was reported in public.
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
