package customstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/oauth2"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/examples/customstore"
	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

func TestStore(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "grants.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return customstore.Store{DB: db} })
}

func TestASecondProcessCannotOpenTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "grants.db")
	db, err := bbolt.Open(file, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: 50 * time.Millisecond}); !errors.Is(err, bbolterrors.ErrTimeout) {
		t.Errorf("bbolt.Open returned %v", err)
	}
}

// The user logs in, and the program finds the grant again when it is started the
// next time.
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
	sealer, err := tokenstore.NewSealer([]byte("32 bytes, and not from a string."))
	if err != nil {
		log.Fatal(err)
	}
	run := func(use func(*client.Account) error) error {
		db, err := bbolt.Open(filepath.Join(dir, "grants.db"), 0o600, &bbolt.Options{Timeout: 10 * time.Second})
		if err != nil {
			return err
		}
		defer db.Close()
		c, err := client.New(client.Config{Issuer: as.Issuer(), ClientID: clienttest.PublicClient, Store: customstore.Store{DB: db}, Sealer: sealer})
		if err != nil {
			return err
		}
		defer c.Close() // before the database is closed
		return use(c.Account("alice"))
	}

	login := client.FlowFunc(func(context.Context) (*oauth2.Token, error) { return as.Grant("alice"), nil }) // or client.Browser{}
	if err := run(func(me *client.Account) error { return me.Ensure(context.Background(), login) }); err != nil {
		log.Fatal(err)
	}
	err = run(func(me *client.Account) error {
		resp, err := me.HTTPClient().Get(as.URL(clienttest.APIPath))
		if err != nil {
			return err
		}
		fmt.Println(resp.Status)
		return resp.Body.Close()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 200 OK
}
