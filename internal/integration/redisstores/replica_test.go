package redisstores_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/fleet"
	"github.com/regrant/regrant/internal/integration/lab"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/redisstore"
)

// pair starts a primary and a replica that has all that the primary has.
func pair(t *testing.T) (primary, replica *lab.Redis) {
	t.Helper()
	primary = lab.StartRedisPort(t)
	host, port, _ := net.SplitHostPort(primary.Addr)
	replica = lab.StartRedisPort(t, "replicaof", host+" "+port)
	rdb := on(replica.Addr).client(t)
	for began := time.Now(); !strings.Contains(rdb.Info(t.Context(), "replication").Val(), "master_link_status:up"); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the replica does not reach the primary")
		}
	}
	return primary, replica
}

func TestAReplicaIsNeverRead(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	p := on(primary.Addr)
	p.Replicas = 1
	if _, err := p.store(t).Save(t.Context(), key, []byte("data"), ""); err != nil {
		t.Fatal(err)
	}
	p.Addrs, p.Replicas = []string{replica.Addr}, 0
	s := p.store(t)
	_, _, loading := s.Load(t.Context(), key)
	var listing error
	for _, listing = range s.List(t.Context(), key) {
	}
	_, saving := s.Save(t.Context(), key, []byte("data"), "version")
	for _, err := range []error{loading, listing, saving} {
		if !redis.IsReadOnlyError(err) || !strings.Contains(err.Error(), "connect it to the primary") {
			t.Errorf("on a replica: %v", err)
		}
	}
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "connect to the primary") {
		t.Errorf("Check returned %v", err)
	}
}

func TestASaveThatTooFewReplicasReceivedIsNotTakenForSaved(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	p := on(primary.Addr)
	p.Replicas = 1
	s := p.store(t)
	v, err := s.Save(t.Context(), key, []byte("first"), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}

	replica.Kill()
	if _, err := s.Save(t.Context(), key, []byte("second"), v); !errors.Is(err, redisstore.ErrReplicas) {
		t.Errorf("Save returned %v", err)
	}
	if _, err := s.Save(t.Context(), key, []byte("third"), v); !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("Save with the version before returned %v", err)
	}
	if _, _, err := s.Load(t.Context(), key); !errors.Is(err, redisstore.ErrReplicas) {
		t.Errorf("Load returned %v", err)
	}
	if data, _, err := p.store(t).Load(t.Context(), key); string(data) != "second" || err != nil {
		t.Errorf("another process loads %q, %v", data, err)
	}

	replica.Start()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		data, loaded, err := s.Load(t.Context(), key)
		if err == nil && string(data) == "second" {
			v = loaded
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("when the replica is back, Load returns %q, %v", data, err)
		}
	}
	if err := on(replica.Addr).client(t).ReplicaOf(t.Context(), "no", "one").Err(); err != nil { // it takes over
		t.Fatal(err)
	}
	p.Addrs = []string{replica.Addr}
	p.Replicas = 0
	if data, loaded, err := p.store(t).Load(t.Context(), key); string(data) != "second" || loaded != v || err != nil {
		t.Errorf("after the failover Load returned %q, %q, %v", data, loaded, err)
	}
}

// The replica that takes over lacks the last rotation. The process that made it
// knows better, and puts its own back: the token that was spent is not sent again.
func TestAWriteThatAFailoverLosesIsPutBack(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	var addr atomic.Pointer[string]
	addr.Store(&primary.Addr)
	rdb := redis.NewClient(&redis.Options{Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", *addr.Load())
	}})
	defer rdb.Close()
	open := func(string) (tokenstore.Store, error) { return redisstore.New(rdb), nil }
	f := fleet.New(t, open, "", func(o *clienttest.Options) { o.AccessTokenLifetime = 2 * time.Second })
	me := f.Join(redisstore.New(rdb))
	if err := rdb.Set(t.Context(), "last", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	other := on(replica.Addr).client(t)
	for began := time.Now(); other.Get(t.Context(), "last").Val() != "1"; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the replica does not follow")
		}
	}
	if err := other.ReplicaOf(t.Context(), "no", "one").Err(); err != nil { // what comes now is lost
		t.Fatal(err)
	}
	f.Expire()
	if _, err := me.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	addr.Store(&replica.Addr)
	primary.Kill()
	time.Sleep(2 * time.Second) // the token that it has ends
	if _, err := me.Token(t.Context()); err != nil {
		t.Error(err)
	}
	f.NothingIsLost()
	f.EachTokenWasSpentOnce()
	if n := f.AS.RefreshCount(); n != 2 {
		t.Errorf("%d token requests", n)
	}
}

func TestWhatWasAcknowledgedSurvivesAKillOfTheServer(t *testing.T) {
	t.Parallel()
	server := lab.StartRedis(t)
	s := on(server.Socket).store(t)
	data := bytes.Repeat([]byte("data"), 2000)
	v, err := s.Save(t.Context(), key, data, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if v, err = s.Save(t.Context(), key, data, v); err != nil {
			t.Fatal(err)
		}
		server.Kill()
		if _, _, err := s.Load(t.Context(), key); err == nil || errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("while the server is down, Load returned %v", err)
		}
		server.Start()
		if got, loaded, err := s.Load(t.Context(), key); err != nil || loaded != v || !bytes.Equal(got, data) {
			t.Fatalf("afterwards Load returned version %q instead of %q, error %v", loaded, v, err)
		}
	}
}

func TestCheckTellsWhatAServerWouldForget(t *testing.T) {
	t.Parallel()
	p := on(lab.StartRedis(t).Socket)
	rdb, s := p.client(t), p.store(t)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ setting, value, says string }{
		{"appendfsync", "everysec", "set it to always"},
		{"appendonly", "no", "set appendonly yes"},
		{"maxmemory-policy", "allkeys-lru", "set it to noeviction"},
	} {
		was := rdb.ConfigGet(t.Context(), c.setting).Val()[c.setting]
		if err := rdb.ConfigSet(t.Context(), c.setting, c.value).Err(); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: Check returned %v", c.setting, c.value, err)
		}
		rdb.ConfigSet(t.Context(), c.setting, was)
	}
	s.Replicas = 1
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "it has 0 replicas") {
		t.Errorf("without a replica Check returned %v", err)
	}
	s.Replicas = 0
	rdb.Do(t.Context(), "ACL", "SETUSER", "default", "-config")
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "could not be found out") {
		t.Errorf("where CONFIG is forbidden, Check returned %v", err)
	}
}
