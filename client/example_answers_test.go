package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore/memstore"
)

// A translator turns the answers of a token endpoint into those of RFC 6749 section 5.
type translator struct {
	base http.RoundTripper
	path string // of the token endpoint
}

func (t translator) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	if err != nil || r.URL.Path != t.path {
		return resp, err
	}
	defer resp.Body.Close()
	var answer struct {
		Success bool           `json:"success"`
		Reason  string         `json:"reason"`
		Result  map[string]any `json:"result"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return nil, err
	}
	translated := answer.Result
	if !answer.Success {
		translated = map[string]any{"error": answer.Reason}
	}
	body, err := json.Marshal(translated)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Type", "application/json")
	return resp, err
}

// A server whose answers are of a form of its own needs one RoundTripper: here the
// tokens are nested, and the code of an error has another name.
func ExampleConfig_answersOfAnotherForm() {
	s, err := clienttest.Start(clienttest.Options{InMemory: true, Tamper: ownForm}) // stands for the server
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	cfg := s.Config() // in your program: client.Config{Issuer: ..., ClientID: ...}
	cfg.Store, cfg.Sealer = memstore.New(), exampleSealer()
	cfg.HTTPClient = &http.Client{Transport: translator{cfg.HTTPClient.Transport, clienttest.TokenPath}} // base: http.DefaultTransport
	c, err := client.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	me := c.Account("default")
	if err := me.Login(context.Background(), client.Browser{Open: s.Browser()}); err != nil {
		fmt.Println(err)
		return
	}
	token, err := me.Refresh(context.Background(), nil)
	fmt.Println("renewed:", token != nil, err)
	s.Revoke("alice")
	_, err = me.Refresh(context.Background(), nil)
	fmt.Println("a login is required:", errors.Is(err, client.ErrLoginRequired))
	// Output:
	// renewed: true <nil>
	// a login is required: true
}

// ownForm is how that server answers.
func ownForm(x clienttest.Exchange, answer map[string]any) {
	if x.Path != clienttest.TokenPath {
		return
	}
	result := map[string]any{}
	for name, value := range answer {
		result[name] = value
		delete(answer, name)
	}
	answer["success"], answer["result"] = result["error"] == nil, result
	if code, failed := result["error"]; failed {
		answer["reason"] = code
		delete(answer, "result")
	}
}
