package redisstores_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/regrant/regrant/tokenstore"
)

func manyKeys(t *testing.T, p place) {
	const (
		issuers  = 10
		clients  = 2 // of each issuer
		accounts = 1000
	)
	s, rdb := p.store(t), p.client(t)
	if err := rdb.ConfigSet(t.Context(), "appendfsync", "no").Err(); err != nil {
		t.Fatal(err)
	}
	defer rdb.ConfigSet(context.Background(), "appendfsync", "always")
	began := time.Now()
	var filling sync.WaitGroup
	for worker := range 8 {
		filling.Go(func() {
			for n := worker; n < issuers*clients*accounts; n += 8 {
				k := tokenstore.Key{
					Issuer:   fmt.Sprintf("https://%d.example", n%issuers),
					ClientID: fmt.Sprintf("client %d", n/issuers%clients),
					Account:  fmt.Sprintf("account %d", n/issuers/clients),
				}
				if n%97 == 0 { // among others: one whose issuer begins like another
					k.Issuer += "/"
				}
				if _, err := s.Save(t.Context(), k, []byte(k.Account), ""); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	filling.Wait()
	t.Logf("%d keys made in %v", issuers*clients*accounts, time.Since(began).Round(time.Millisecond))

	list := func(match tokenstore.Key) map[tokenstore.Key]bool {
		began := time.Now()
		seen := map[tokenstore.Key]bool{}
		for k, err := range s.List(t.Context(), match) {
			if err != nil {
				t.Fatal(err)
			}
			if seen[k] || !k.Matches(match) {
				t.Errorf("%v was yielded for match %+v, or twice", k, match)
			}
			seen[k] = true
		}
		t.Logf("match %+v: %d keys in %v", match, len(seen), time.Since(began).Round(100*time.Microsecond))
		return seen
	}
	all := list(tokenstore.Key{})
	if len(all) != issuers*clients*accounts {
		t.Fatalf("%d keys are listed", len(all))
	}
	for _, match := range []tokenstore.Key{
		{Issuer: "https://3.example"},
		{Issuer: "https://3.example/"},
		{Issuer: "https://3.example", ClientID: "client 1"},
		{Issuer: "https://3.example", ClientID: "client 1", Account: "account 50"},
		{ClientID: "client 1"},
		{Account: "account 50"},
		{Issuer: "https://"},
		{Issuer: "https://10.example"},
	} {
		want := 0
		for k := range all {
			if k.Matches(match) {
				want++
			}
		}
		if got := len(list(match)); got != want {
			t.Errorf("match %+v: %d keys instead of %d", match, got, want)
		}
	}
}

func forgottenScripts(t *testing.T, p place) {
	s, rdb := p.store(t), p.client(t)
	forget := func() {
		if err := rdb.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	v, err := s.Save(t.Context(), key, []byte("first"), "")
	if err != nil {
		t.Fatal(err)
	}
	forget()
	if v, err = s.Save(t.Context(), key, []byte("second"), v); err != nil {
		t.Fatal(err)
	}
	forget()
	if data, _, err := s.Load(t.Context(), key); string(data) != "second" || err != nil {
		t.Errorf("Load returned %q, %v", data, err)
	}
	forget()
	for k, err := range s.List(t.Context(), key) {
		if k != key || err != nil {
			t.Errorf("List yielded %v, %v", k, err)
		}
	}
	forget()
	if err := s.Delete(t.Context(), key, v); err != nil {
		t.Error(err)
	}
}

// names returns the names of a record and of its index, as they are in the server.
func names(t *testing.T, p place) (record, index string) {
	t.Helper()
	s, rdb := p.store(t), p.client(t)
	v, err := s.Save(t.Context(), key, []byte("data"), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rdb.Keys(t.Context(), p.Prefix+"*").Val() {
		if strings.HasSuffix(name, "}index") {
			index = name
		} else {
			record = name
		}
	}
	if err := s.Delete(t.Context(), key, v); err != nil {
		t.Fatal(err)
	}
	if left := rdb.Keys(t.Context(), p.Prefix+"*").Val(); len(left) > 0 || record == "" || index == "" {
		t.Fatalf("there were %q and %q, and there is left %q", record, index, left)
	}
	return record, index
}

func foreignKeys(t *testing.T, p place) {
	record, index := names(t, p)
	s, rdb := p.store(t), p.client(t)
	rdb.LPush(t.Context(), record, "of somebody")
	rdb.LPush(t.Context(), index, "of somebody")
	_, _, loading := s.Load(t.Context(), key)
	_, creating := s.Save(t.Context(), key, []byte("data"), "")
	_, saving := s.Save(t.Context(), key, []byte("data"), "version")
	deleting := s.Delete(t.Context(), key, "version")
	var listing error
	for _, listing = range s.List(t.Context(), key) {
	}
	for _, err := range []error{loading, creating, saving, deleting, listing} {
		if err == nil || !strings.Contains(err.Error(), "choose another Prefix") || !strings.Contains(err.Error(), p.Prefix) {
			t.Errorf("it does not say what to do: %v", err)
		}
		if errors.Is(err, tokenstore.ErrNotFound) || errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("a program would take it for something else: %v", err)
		}
	}
	rdb.Del(t.Context(), record) // now the index alone is somebody else's
	if _, err := s.Save(t.Context(), key, []byte("data"), ""); err == nil {
		t.Error("a grant was saved that List would never find")
	}
	if n := rdb.Exists(t.Context(), record).Val(); n != 0 {
		t.Error("an error left a record behind")
	}
	if n := rdb.LLen(t.Context(), index).Val(); n != 1 {
		t.Error("what was somebody else's is gone")
	}
}

func damaged(t *testing.T, p place) {
	record, _ := names(t, p)
	s, rdb := p.store(t), p.client(t)
	rdb.Set(t.Context(), record, "cut short", 0)
	_, v, err := s.Load(t.Context(), key)
	if !errors.Is(err, tokenstore.ErrUnreadable) || v == "" {
		t.Fatalf("Load returned version %q, error %v", v, err)
	}
	if _, err := s.Save(t.Context(), key, []byte("data"), ""); !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("a creating Save returned %v", err)
	}
	if _, err := s.Save(t.Context(), key, []byte("data"), v); err != nil {
		t.Error("replacing it:", err)
	}
	rdb.Set(t.Context(), record, "cut short", 0)
	if err := s.Delete(t.Context(), key, v); err != nil {
		t.Error("deleting it:", err)
	}
}

func timeToLive(t *testing.T, p place) {
	record, _ := names(t, p)
	s, rdb := p.store(t), p.client(t)
	if _, err := s.Save(t.Context(), key, []byte("data"), ""); err != nil {
		t.Fatal(err)
	}
	rdb.Expire(t.Context(), record, time.Hour)
	if _, _, err := s.Load(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if ttl := rdb.TTL(t.Context(), record).Val(); ttl != -1 {
		t.Errorf("after Load it ends in %v", ttl)
	}
}

// twice has go-redis send each script again, as after a lost answer.
func twice(t *testing.T, p place) {
	s, rdb := p.open()
	defer rdb.Close()
	rdb.AddHook(again{})
	v, err := s.Save(t.Context(), key, []byte("first"), "")
	if err != nil {
		t.Fatal(err)
	}
	if v, err = s.Save(t.Context(), key, []byte("second"), v); err != nil {
		t.Fatal(err)
	}
	if data, loaded, err := s.Load(t.Context(), key); string(data) != "second" || loaded != v || err != nil {
		t.Errorf("Load returned %q, version %q, error %v", data, loaded, err)
	}
	if _, err := s.Save(t.Context(), key, []byte("third"), ""); !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("a creating Save over it returned %v", err)
	}
	if err := s.Delete(t.Context(), key, v); err != nil {
		t.Error(err)
	}
}

type again struct{}

func (again) DialHook(next redis.DialHook) redis.DialHook { return next }

func (again) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (again) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		_ = next(ctx, cmd)
		return next(ctx, cmd)
	}
}

// spread looks at where the grants of many accounts lie.
func spread(t *testing.T, p place) {
	s := p.store(t)
	for n := range 100 {
		k := key
		k.Account = fmt.Sprint(n)
		if _, err := s.Save(t.Context(), k, []byte("data"), ""); err != nil {
			t.Fatal(err)
		}
	}
	cluster := p.client(t).(*redis.ClusterClient)
	var mu sync.Mutex
	records := map[string]int{}
	err := cluster.ForEachMaster(t.Context(), func(ctx context.Context, primary *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		for _, name := range primary.Keys(ctx, p.Prefix+"*").Val() {
			if !strings.HasSuffix(name, "}index") {
				records[primary.Options().Addr]++
			}
		}
		return nil
	})
	if err != nil || len(records) != 3 {
		t.Errorf("a hundred grants lie on %v, error %v", records, err)
	}
}

func checkCluster(t *testing.T, p place) {
	p.Replicas = 1
	s, cluster := p.store(t), p.client(t).(*redis.ClusterClient)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	one, err := cluster.MasterForKey(t.Context(), "any")
	if err != nil {
		t.Fatal(err)
	}
	one.ConfigSet(t.Context(), "appendfsync", "everysec")
	defer one.ConfigSet(context.Background(), "appendfsync", "always")
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), one.Options().Addr) || !strings.Contains(err.Error(), "set it to always") {
		t.Errorf("when %s loses a second, Check returns %v", one.Options().Addr, err)
	}
}
