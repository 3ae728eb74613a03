package clienttest_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

func TestTheRecordFollowsAFamilyThroughItsGenerations(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		start := time.Now()
		rt := post(t, s, clienttest.TokenPath, url.Values{
			"grant_type": {"password"}, "client_id": {"test-client"}, "username": {"bob"}, "password": {"password"},
		}).text("refresh_token")
		time.Sleep(time.Minute)
		rt, _ = mustRefresh(t, s, rt)
		rt, access := mustRefresh(t, s, rt)
		get(t, s, clienttest.APIPath, access)

		x := s.Exchanges()
		if len(x) != 4 {
			t.Fatalf("%d exchanges", len(x))
		}
		for i, want := range []struct {
			path, grant string
			generation  uint64
			after       time.Duration
		}{
			{clienttest.TokenPath, "password", 0, 0},
			{clienttest.TokenPath, "refresh_token", 0, time.Minute},
			{clienttest.TokenPath, "refresh_token", 1, time.Minute},
			{clienttest.APIPath, "", 2, time.Minute},
		} {
			got := x[i]
			if got.Number != i+1 || got.Path != want.path || got.GrantType != want.grant || got.Generation != want.generation {
				t.Errorf("exchange %d: %+v", i+1, got)
			}
			if got.Account != "bob" || got.Family != x[0].Family || got.Outcome != clienttest.Accepted || got.Status != 200 {
				t.Errorf("exchange %d: %+v", i+1, got)
			}
			if d := got.Time.Sub(start); d != want.after {
				t.Errorf("exchange %d came after %v, want %v", i+1, d, want.after)
			}
		}
		if x[1].RefreshToken != x[0].Issued || x[2].RefreshToken != x[1].Issued || x[2].Issued != rt || x[1].ClientID != "test-client" {
			t.Error("each refresh presents what the one before was issued")
		}
	})
}

func TestARequestThatTheServerNeverSawIsUnprocessed(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		rt := s.Grant("alice").RefreshToken
		s.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 503}, 1)
		refresh(t, s, rt)
		refresh(t, s, "unknown")
		x := s.Exchanges()
		if x[0].Outcome != clienttest.Unprocessed || x[0].Account != "alice" || x[0].Status != 503 || x[0].ClientID != "" {
			t.Errorf("recorded %+v", x[0])
		}
		if x[1].Outcome != clienttest.Refused || x[1].Error != "invalid_grant" || x[1].Account != "" {
			t.Errorf("recorded %+v", x[1])
		}
	})
}

func TestAnOutcomeIsAWord(t *testing.T) {
	for o, want := range map[clienttest.Outcome]string{
		clienttest.Unprocessed: "unprocessed", clienttest.Accepted: "accepted", clienttest.Refused: "refused", clienttest.Reused: "reused", 9: "unknown",
	} {
		if o.String() != want {
			t.Errorf("%d is %q, want %q", int(o), o, want)
		}
	}
}
