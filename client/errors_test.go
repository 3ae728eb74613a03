package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/tokenstore"
)

func TestAnErrorIsFoundThroughWhatIsAroundIt(t *testing.T) {
	key := tokenstore.Key{Issuer: "https://as.example.com", ClientID: "cli", Account: "alice"}
	cause := &client.Error{Op: "renew", Key: key, Code: "invalid_grant", Err: fmt.Errorf("%w: %w", client.ErrLoginRequired, context.DeadlineExceeded)}
	err := error(&url.Error{Op: "Get", URL: "https://api.example.com", Err: cause}) // as http.Client gives it
	for _, want := range []error{client.ErrLoginRequired, context.DeadlineExceeded} {
		if !errors.Is(err, want) {
			t.Errorf("errors.Is does not find %v", want)
		}
	}
	if errors.Is(err, client.ErrClosed) {
		t.Error("errors.Is finds ErrClosed")
	}
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != "invalid_grant" {
		t.Errorf("errors.As finds %v", e)
	}
}

func TestAnErrorIsASentence(t *testing.T) {
	key := tokenstore.Key{Issuer: "https://as.example.com", ClientID: "cli", Account: "al\nice"}
	for _, c := range []struct {
		err  client.Error
		want string
	}{
		{client.Error{Op: "renew", Key: key, Err: errors.New("no route")}, `regrant: renew "al\nice" at https://as.example.com: no route`},
		{client.Error{Op: "discover", Key: tokenstore.Key{Issuer: key.Issuer}, Err: errors.New("status 503"), RetryAfter: 1234567 * time.Microsecond},
			"regrant: discover at https://as.example.com: status 503 (next try in 1.2s)"},
		{client.Error{Op: "close"}, "regrant: close"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestEveryKindOfEventHasAWordOfItsOwn(t *testing.T) {
	seen := map[string]client.EventKind{}
	for kind := client.LoggedIn; kind <= client.LoggedOut; kind++ {
		word := kind.String()
		if before, ok := seen[word]; ok || word == "" || word == "unknown" || strings.ToLower(word) != word {
			t.Errorf("the word for %d is %q, as for %d", kind, word, before)
		}
		seen[word] = kind
	}
	for _, kind := range []client.EventKind{-1, 0, client.LoggedOut + 100} {
		if word := kind.String(); word != "unknown" {
			t.Errorf("the word for %d is %q", kind, word)
		}
	}
}

func TestAnEventIsAGroupInALog(t *testing.T) {
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("oauth", "event", client.Event{
		Kind: client.RenewFailed, Key: tokenstore.Key{Issuer: "https://as.example.com", ClientID: "cli", Account: "alice"},
		Duration: time.Second, Generation: 7, Err: errors.New("no route"),
	})
	var line struct {
		Event map[string]any `json:"event"`
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"kind": "renew_failed", "issuer": "https://as.example.com", "client_id": "cli", "account": "alice",
		"duration": 1e9, "generation": 7.0, "error": "no route",
	} {
		if got := line.Event[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if v := (client.Event{Kind: client.Renewed}).LogValue(); strings.Contains(v.String(), "error") {
		t.Errorf("an event without an error has one: %v", v)
	}
}
