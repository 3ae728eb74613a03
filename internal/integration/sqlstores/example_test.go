package sqlstores_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// Two programs share a database. A user logs in to one, and the other can work
// for that user.
func Example() {
	as, err := clienttest.Start(clienttest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer as.Close()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	key := make([]byte, 32) // a program has it where its other secrets are
	_, _ = rand.Read(key)

	program := func() *client.Client {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "grants.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
		if err != nil {
			log.Fatal(err)
		}
		store := sqlstore.New(db, sqlstore.SQLite)
		if err := store.Migrate(context.Background()); err != nil {
			log.Fatal(err)
		}
		sealer, err := tokenstore.NewSealer(key)
		if err != nil {
			log.Fatal(err)
		}
		c, err := client.New(client.Config{Issuer: as.Issuer(), ClientID: clienttest.PublicClient, Store: store, Sealer: sealer})
		if err != nil {
			log.Fatal(err)
		}
		return c
	}

	web, worker := program(), program()
	defer web.Close()
	defer worker.Close()
	login := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return as.Grant("alice"), nil })
	if err := web.Account("alice").Login(context.Background(), login); err != nil {
		log.Fatal(err)
	}
	resp, err := worker.Account("alice").HTTPClient().Get(as.URL(clienttest.APIPath))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println("the worker's request:", resp.Status)
	// Output: the worker's request: 200 OK
}
