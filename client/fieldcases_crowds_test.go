package client_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/tokenstore"
)

// Field cases of many callers, and of many processes over one store.

// A diary is a store with a lock that notes what is done, in order.
type diary struct {
	*lockingDesk
	notes *[]string
}

func (d diary) note(what string) { *d.notes = append(*d.notes, what) }

func (d diary) Lock(ctx context.Context, key tokenstore.Key) (func(), error) {
	unlock, err := d.lockingDesk.Lock(ctx, key)
	d.note("lock")
	return func() { d.note("unlock"); unlock() }, err
}

func (d diary) Load(ctx context.Context, key tokenstore.Key) ([]byte, tokenstore.Version, error) {
	d.note("load")
	return d.lockingDesk.Load(ctx, key)
}

func (d diary) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	v, err := d.lockingDesk.Save(ctx, key, data, old)
	d.note("save")
	return v, err
}

func TestFieldCase_anomalyco_opencode_34523_TheLockIsHeldFromTheDecisionToTheSave(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		var notes []string
		x := w.start(func(c *client.Config, p *process) { c.Store = diary{&lockingDesk{&desk{p}}, &notes} })
		x.login()
		w.expire()
		notes = nil
		x.works("X")
		if want := []string{"lock", "load", "save", "save", "unlock"}; !slices.Equal(notes, want) {
			t.Errorf("the renewal did %v, want %v", notes, want)
		}
	})
}

func TestFieldCase_DuendeArchive_Support_1286_WhoWaitedForTheLockLooksAgain(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(withLock), w.start(withLock)
		x.login()
		y.works("Y")
		w.expire()
		held := w.as.HoldAnswer(clienttest.TokenPath)
		gotX := x.async()
		<-held.Arrived()
		gotY := y.async() // it has loaded the old token before, and finds the lock taken
		time.Sleep(time.Second)
		held.Release()
		for who, got := range map[string]<-chan result{"X": gotX, "Y": gotY} {
			if r := <-got; r.err != nil {
				t.Errorf("%s: %v", who, r.err)
			}
		}
		w.requests(1)
	})
}

func TestFieldCase_dynatrace_oss_dtctl_248_AFreshTokenCostsProcessesThatBeginTogetherNothing(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		for _, got := range []<-chan result{w.start().async(), w.start().async()} {
			if r := <-got; r.err != nil {
				t.Error(r.err)
			}
		}
		w.requests(0)
	})
}

func TestFieldCase_databricks_cli_6051_TokenRequestsOfProcessesNeverOverlap(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var all []*process
		underWay := 0
		for range 10 {
			all = append(all, w.start(withLock))
		}
		all[0].login()
		for range 3 {
			w.expire()
			w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: time.Second}, 1)
			var wg sync.WaitGroup
			for _, p := range all {
				plant(p, &p.beforeSend, func() {
					mu.Lock()
					defer mu.Unlock()
					if underWay++; underWay > 1 {
						t.Errorf("%d token requests at once", underWay)
					}
				})
				plant(p, &p.afterAnswer, func() { mu.Lock(); defer mu.Unlock(); underWay-- })
				wg.Go(func() {
					if r := <-p.async(); r.err != nil {
						t.Error(r.err)
					}
				})
			}
			wg.Wait()
		}
		w.requests(3)
	})
}

func TestFieldCase_stacklok_toolhive_4122_WhoWritesTooLateAdoptsWhatIsStored(t *testing.T) {
	inWorld(t, grace(5*time.Minute), func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		x.afterAnswer = x.stop // before it saves, for longer than its lease
		gotX := x.async()
		time.Sleep(time.Second)
		y.works("Y")
		winner := w.stored()
		x.cont()
		if r := <-gotX; r.err != nil || r.token.AccessToken != winner.AccessToken {
			t.Errorf("X does not use what Y has stored: %v", r.err)
		}
		if w.stored().RefreshToken != winner.RefreshToken {
			t.Error("X has written over what Y had stored")
		}
	})
}

func TestFieldCase_openshift_online_ocm_sdk_go_232_CallersKeepTheTokenThatStillWorks(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		x.works("X")
		time.Sleep(lifetime * 85 / 100)
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 2 * time.Second}, 1)
		gotX := x.async() // renews
		time.Sleep(100 * time.Millisecond)
		took, errs := x.crowd(50, time.Second)
		if count(took, waited) > 0 || count(errs, failed) > 0 {
			t.Errorf("while one renews, %d callers wait, and %d fail", count(took, waited), count(errs, failed))
		}
		<-gotX
		w.requests(1)
	})
}

func TestFieldCase_authts_oidc_client_ts_1618_AHundredCallersCauseOneRequest(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 100 * time.Millisecond}, 1)
		if _, errs := x.crowd(100, time.Second); count(errs, failed) > 0 {
			t.Errorf("callers failed: %v", errs)
		}
		w.requests(1)
	})
}

func TestFieldCase_authlib_authlib_673_AClientPerRequestOfAWebFrameworkIsNoMatter(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: time.Second}, 1)
		var all []<-chan result
		for range 20 {
			all = append(all, w.start().async())
		}
		for _, got := range all {
			if r := <-got; r.err != nil {
				t.Error(r.err)
			}
		}
		w.requests(1)
	})
}

// The loser's request is under way for so long that another takes it for dead.
func TestFieldCase_authts_oidc_client_ts_430_TheLoserOfARaceWithoutALockUsesWhatTheWinnerStored(t *testing.T) {
	inWorld(t, strict, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		held := w.as.HoldRequest(clienttest.TokenPath)
		gotX := x.async()
		<-held.Arrived()
		x.stop()
		y.works("Y")
		x.cont()
		held.Release()
		if r := <-gotX; r.err != nil || r.token.AccessToken != w.stored().AccessToken {
			t.Errorf("X: %v", r.err)
		}
		if n := w.as.Reused(); n != 1 {
			t.Errorf("%d requests were refused as reuse: the test wants the race", n)
		}
		y.works("Y")
	})
}

func TestFieldCase_forcedotcom_sfdx_core_1342_ARefusalOfParallelRefreshesDeletesNothing(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusBadRequest,
			Body: `{"error":"invalid_grant","error_description":"token request is already being processed"}`}, 1)
		r := <-x.async()
		if e, ok := errors.AsType[*client.Error](r.err); !ok || e.Code != "invalid_grant" || w.stored().RefreshToken == "" {
			t.Fatalf("X: %v", r.err)
		}
		// The parallel refresh was successful, and its owner asks on purpose.
		if _, err := y.me.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		x.works("X")
		w.requests(2)
	})
}

func TestFieldCase_AzureAD_microsoft_authentication_library_for_dotnet_6053_WorkThatOutlivesItsCallersIsBounded(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x := w.start(background)
		x.login()
		w.expire()
		w.as.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: time.Hour}, -1)
		for range 50 {
			x.crowd(10, time.Second)
		}
		if n := w.as.RefreshCount(); n > 3 { // each for 30 s
			t.Errorf("%d requests for 500 callers that left", n)
		}
		begun := time.Now()
		_ = x.client.Close()
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestFieldCase_databricks_databricks_sdk_go_1493_AProgramThatMakesOneCallLeavesNoSpentToken(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		w.start().login()
		for range 5 {
			time.Sleep(lifetime * 85 / 100) // it could renew later, in the background, and never get there
			w.start(background).works("a short program")
			if w.stored().RefreshToken != w.as.LiveRefreshToken("alice") {
				t.Fatal("a spent refresh token is stored when the call returns")
			}
		}
	})
}

func TestFieldCase_zoom_developer_forum_72070_ATokenThatARenewalElsewhereHasEndedIsReplaced(t *testing.T) {
	inWorld(t, strictFamily, func(t *testing.T, w *world) {
		x, y := w.start(), w.start()
		x.login()
		x.works("X")
		w.as.RevokeAccess("alice")
		if _, err := y.me.Refresh(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		x.works("X, whose token was ended by the renewal of Y,")
		w.requests(1)
	})
}
