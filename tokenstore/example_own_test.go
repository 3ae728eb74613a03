package tokenstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/regrant/regrant/tokenstore"
)

// A webStore keeps each record under a URL of its own, at any server that
// understands conditional requests (RFC 9110 section 13): object stores do. The
// entity tag is the version.
type webStore struct{ base string }

func (s webStore) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	return s.do(ctx, http.MethodGet, key, nil, "", "")
}

func (s webStore) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	condition, tag := "If-Match", string(old)
	if old == "" {
		condition, tag = "If-None-Match", "*"
	}
	_, v, err := s.do(ctx, http.MethodPut, key, data, condition, tag)
	return v, err
}

func (s webStore) Delete(ctx context.Context, key tokenstore.Key, old tokenstore.Version) error {
	_, _, err := s.do(ctx, http.MethodDelete, key, nil, "If-Match", string(old))
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	return err
}

func (s webStore) do(ctx context.Context, method string, key tokenstore.Key, data []byte, condition, tag string) ([]byte, tokenstore.Version, error) {
	name := sha256.Sum256([]byte(key.String()))
	req, err := http.NewRequestWithContext(ctx, method, s.base+"/"+hex.EncodeToString(name[:]), bytes.NewReader(data))
	if err != nil {
		return nil, "", err
	}
	if tag != "" {
		req.Header.Set(condition, tag)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		body, err := io.ReadAll(resp.Body)
		return body, tokenstore.Version(resp.Header.Get("ETag")), err
	case http.StatusNotFound:
		return nil, "", tokenstore.ErrNotFound
	case http.StatusPreconditionFailed:
		return nil, "", tokenstore.ErrConflict
	}
	return nil, "", fmt.Errorf("the server of grants answers %s", resp.Status)
}

// Three methods make a store. tokenstoretest.TestStore holds it to the contract:
//
//	func TestWebStore(t *testing.T) {
//		server := startServer(t)
//		tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return webStore{server.URL} })
//	}
func Example_ownStore() {
	server := startServer()
	defer server.Close()
	ctx, key := context.Background(), tokenstore.Key{Issuer: "https://login.example.com", ClientID: "my-cli", Account: "default"}

	store := webStore{server.URL}
	if _, err := store.Save(ctx, key, []byte("sealed bytes"), ""); err != nil {
		log.Fatal(err)
	}
	_, err := store.Save(ctx, key, []byte("of somebody who was late"), "")
	fmt.Println(err)
	data, _, err := store.Load(ctx, key)
	fmt.Println(string(data), err)
	// Output:
	// tokenstore: the record was changed meanwhile
	// sealed bytes <nil>
}
