package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/sqlstore"
)

// A program of many machines keeps its users' grants in PostgreSQL. It imports
// the driver, as _ "github.com/jackc/pgx/v5/stdlib", and gives the store to its
// client.Config, with a Sealer.
func Example() {
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store := sqlstore.New(db, sqlstore.PostgreSQL)
	store.Table = "auth.grants"
	if err := store.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// The processes of one host share a SQLite file, with modernc.org/sqlite.
func ExampleNew_sqlite() {
	db, err := sql.Open("sqlite", "file:grants.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store := sqlstore.New(db, sqlstore.SQLite)
	if err := store.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// With github.com/go-sql-driver/mysql; MariaDB speaks the same dialect.
func ExampleNew_mysql() {
	db, err := sql.Open("mysql", "app@tcp(db.example:3306)/auth?tls=true&interpolateParams=true")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store := sqlstore.New(db, sqlstore.MySQL)
	if err := store.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// All grants of a client are listed, in pages and by the primary key, however
// many others there are.
func ExampleStore_List() {
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store := sqlstore.New(db, sqlstore.PostgreSQL)
	for key, err := range store.List(context.Background(), tokenstore.Key{Issuer: "https://login.example.com", ClientID: "backend"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key.Account)
	}
}
