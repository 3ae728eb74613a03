package client_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
)

// Y was faster, and X reads its record where it only wants to know why a write has
// failed, or whether a refusal still matters. Before X looks again, the store loses
// what Y has saved. X is the only one here who knows, and does not send the old
// token.
func TestWhatWasReadInPassingIsNotForgottenIfTheStoreLosesIt(t *testing.T) {
	fail := func(path string, f clienttest.Fault) func(w *world) {
		return func(w *world) { w.as.FailNext(path, f, 1) }
	}
	atIntent := func(err error) func(x *process, faster func()) {
		return func(x *process, faster func()) {
			x.beforeSave = func(*record.Record) error { faster(); return err }
		}
	}
	atRequest := func(x *process, faster func()) { x.beforeSend = faster }
	for _, c := range []struct {
		name     string
		trouble  func(w *world)
		meets    func(x *process, faster func())
		requests int  // that X has sent before it knew
		later    bool // X fails, and knows when it tries again
	}{
		{name: "the write of the intent meets a conflict", meets: atIntent(nil)},
		{name: "the write of the intent fails", meets: atIntent(errStore)},
		{name: "a heartbeat", meets: atRequest, requests: 1,
			trouble: fail(clienttest.TokenPath, clienttest.Fault{DelayAnswer: 12 * time.Second})},
		{name: "a heartbeat, and the answer is lost", meets: atRequest, requests: 1,
			trouble: fail(clienttest.TokenPath, clienttest.Fault{Delay: 12 * time.Second, Drop: true})},
		{name: "a heartbeat, and invalid_grant", meets: atRequest, requests: 1,
			trouble: fail(clienttest.TokenPath, clienttest.Fault{Delay: 12 * time.Second, Status: 400, Body: `{"error":"invalid_grant"}`})},
		{name: "a look after invalid_grant", meets: atRequest, requests: 1,
			trouble: fail(clienttest.TokenPath, clienttest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`})},
		{name: "a look after another refusal", meets: atRequest, requests: 1,
			trouble: fail(clienttest.TokenPath, clienttest.Fault{Status: 400, Body: `{"error":"invalid_request"}`})},
		{name: "the release of the intent", meets: atRequest, requests: 1, later: true,
			trouble: fail(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable})},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, strictFamily, func(t *testing.T, w *world) {
				x := w.start()
				x.login()
				w.expire()
				if c.trouble != nil {
					c.trouble(w)
				}
				var lost *record.Record
				var losing func(*record.Record)
				losing = func(rec *record.Record) {
					if rec.Generation == 0 {
						plant(x, &x.afterLoad, losing)
						return
					}
					w.overwrite(lost)
				}
				c.meets(x, func() {
					lost = w.stored()
					rec := lost.With(nil)
					rec.Generation, rec.AccessToken, rec.RefreshToken = 5, "what-Y-has", "what-Y-has"
					rec.Renewed, rec.Lifetime, rec.Expiry = time.Now(), time.Hour, time.Now().Add(time.Hour)
					w.overwrite(rec)
					plant(x, &x.afterLoad, losing)
				})
				r := <-x.async()
				if c.later {
					if e, ok := errors.AsType[*client.Error](r.err); !ok || !e.Temporary {
						t.Errorf("X got %v, want a temporary error", r.err)
					}
					time.Sleep(time.Minute)
					r = <-x.async()
				}
				if r.err != nil || r.token.AccessToken != "what-Y-has" {
					t.Errorf("X got %v, want the token of Y", r.err)
				}
				if rec := w.stored(); rec.Generation != 5 || rec.RefreshToken != "what-Y-has" || rec.Intent != nil {
					t.Errorf("%v is stored, want what Y has saved", rec)
				}
				w.requests(c.requests)
				if x.afterLoad != nil {
					t.Error("X has not read what Y has saved before the store lost it")
				}
			})
		})
	}
}
