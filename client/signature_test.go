package client_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
)

// The keys of the server are fetched after a renewal was saved. Here another
// process announces the next renewal meanwhile.
func anotherProcessBegins(w *world) {
	w.t.Helper()
	rec := w.stored()
	w.overwrite(rec.With(&record.Intent{
		ID: "another", Attempt: rec.Generation + 1, Lease: 15 * time.Second, Started: time.Now().UTC().Round(0),
	}))
}

func TestAWrongSignatureIsNotForgottenWhileAnotherProcessRenews(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		w.expire()
		w.as.Set(func(o *clienttest.Options) {
			o.Tamper = func(_ clienttest.Exchange, answer map[string]any) {
				if raw, ok := answer["id_token"].(string); ok {
					i := strings.LastIndex(raw, ".") + 1
					answer["id_token"] = raw[:i] + strings.Repeat("A", len(raw)-i)
				}
			}
		})
		p := w.start()
		var atMark func(*record.Record) error
		atMark = func(rec *record.Record) error {
			if rec.Refused == nil {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.beforeSave = atMark
				return nil
			}
			anotherProcessBegins(w)
			return nil
		}
		p.beforeSave = atMark
		_, _ = p.me.Token(t.Context())
		time.Sleep(time.Second)
		if rec := w.stored(); rec.Refused == nil || rec.AccessToken != "" {
			t.Error("the access token of an answer with a wrong signature is kept")
		}
		if _, err := p.me.Token(t.Context()); !errors.Is(err, client.ErrLoginRequired) {
			t.Errorf("got %v, want ErrLoginRequired", err)
		}
	})
}

func TestALateCheckKeepsOutOfTheWayOfARenewal(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		w.expire()
		w.as.FailNext(clienttest.JWKSPath, clienttest.Fault{Delay: 2 * time.Second}, 1)
		p := w.start()
		p.works("a process that has not fetched the keys yet")
		anotherProcessBegins(w)
		_, before, err := w.shared.Load(t.Context(), w.key)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if _, after, err := w.shared.Load(t.Context(), w.key); err != nil || after != before {
			t.Errorf("the record with the intent was written over (%v)", err)
		}
	})
}
