package redisstore_test

import (
	"context"
	"log"

	"github.com/redis/go-redis/v9"

	"github.com/regrant/regrant/tokenstore/redisstore"
)

// A program of many machines keeps its users' grants in Redis, and gives the store
// to its client.Config, with a Sealer. It does not start on a server that would
// forget them.
func Example() {
	rdb := redis.NewClient(&redis.Options{Addr: "redis.example:6379"})
	defer rdb.Close()
	store := redisstore.New(rdb)
	store.Prefix = "auth:grants:"
	if err := store.Check(context.Background()); err != nil {
		log.Print(err)
	}
}

// Sentinel knows which server is the primary. Both replicas have every save, so
// whichever takes over has it, too.
func ExampleNew_sentinel() {
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{
		MasterName: "grants",
		Addrs:      []string{"sentinel-1.example:26379", "sentinel-2.example:26379", "sentinel-3.example:26379"},
	})
	defer rdb.Close()
	store := redisstore.New(rdb)
	store.Replicas = 2
	if err := store.Check(context.Background()); err != nil {
		log.Print(err)
	}
}

// A Cluster has the grants on all of its servers.
func ExampleNew_cluster() {
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: []string{"redis-1.example:6379", "redis-2.example:6379", "redis-3.example:6379"},
	})
	defer rdb.Close()
	store := redisstore.New(rdb)
	store.Replicas = 1
	if err := store.Check(context.Background()); err != nil {
		log.Print(err)
	}
}
