package clienttest_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

func TestAFaultTakesThePlaceOfTheAnswer(t *testing.T) {
	for _, row := range []struct {
		name   string
		fault  clienttest.Fault
		status int    // 0: no answer
		body   string // "": not compared
		kind   string // Content-Type, "": not compared
		header string // a header that must be there
		spent  int
		broken bool // the body ends too early
	}{
		{name: "lost before", fault: clienttest.Fault{Drop: true}},
		{name: "lost after", fault: clienttest.Fault{Drop: true, Commit: true}, spent: 1},
		{name: "503", fault: clienttest.Fault{Status: 503, Header: http.Header{"Retry-After": {"7"}}}, status: 503, header: "Retry-After"},
		{name: "429", fault: clienttest.Fault{Status: 429}, status: 429},
		{name: "504 after", fault: clienttest.Fault{Status: 504, Commit: true}, status: 504, spent: 1},
		{name: "error with 200", fault: clienttest.Fault{Body: `{"error":"invalid_grant"}`}, status: 200,
			body: `{"error":"invalid_grant"}`, kind: "application/json"},
		{name: "HTML", fault: clienttest.Fault{Status: 502, Body: "<html>Bad Gateway</html>"}, status: 502,
			body: "<html>Bad Gateway</html>", kind: "text/html; charset=utf-8"},
		{name: "empty 400", fault: clienttest.Fault{Status: 400}, status: 400},
		{name: "redirect", fault: clienttest.Fault{Status: 307, Header: http.Header{"Location": {"https://elsewhere.example"}}},
			status: 307, header: "Location"},
		{name: "truncated", fault: clienttest.Fault{Truncate: true}, status: 200, spent: 1, broken: true},
		{name: "truncated error", fault: clienttest.Fault{Truncate: true, Status: 400, Body: `{"error":"x"}`}, status: 400, body: `{"erro`, broken: true},
		{name: "header only", fault: clienttest.Fault{Header: http.Header{"X-Extra": {"1"}}}, status: 200, spent: 1, header: "X-Extra"},
	} {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s *clienttest.Server) {
				rt := s.Grant("alice").RefreshToken
				s.FailNext(clienttest.TokenPath, row.fault, 1)
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(clienttest.TokenPath), formBody(refreshForm(rt)))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				c := s.HTTPClient()
				c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				r, err := do(t, c, req)
				switch {
				case row.status == 0:
					if !errors.Is(err, io.EOF) {
						t.Errorf("got %v, want a connection that ends", err)
					}
				case row.broken:
					if !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("got %v, want a body that ends too early", err)
					}
				case err != nil:
					t.Fatal(err)
				}
				if r.Status != row.status || row.body != "" && r.Body != row.body {
					t.Errorf("answer %d %s", r.Status, r.Body)
				}
				if row.kind != "" && r.Header.Get("Content-Type") != row.kind {
					t.Errorf("Content-Type %s", r.Header.Get("Content-Type"))
				}
				if row.header != "" && r.Header.Get(row.header) == "" {
					t.Errorf("no header %s", row.header)
				}
				x := s.Exchanges()[0]
				if s.Spent(rt) != row.spent || s.Presented(rt) != 1 || x.Status != row.status || x.Account != "alice" {
					t.Errorf("Spent %d, Presented %d, recorded %+v", s.Spent(rt), s.Presented(rt), x)
				}
				if row.spent == 0 {
					mustRefresh(t, s, rt) // once means once
				}
			})
		})
	}
}

func TestALostPOSTOnAUsedConnectionIsNotSentAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, s *clienttest.Server) {
		rt, _ := mustRefresh(t, s, s.Grant("alice").RefreshToken)
		s.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 1)
		if _, err := tryPost(t, s, clienttest.TokenPath, refreshForm(rt)); err == nil {
			t.Error("a dropped request was answered")
		}
		if n := s.Presented(rt); n != 1 {
			t.Errorf("the server got it %d times", n)
		}
	})
}

func TestAnOversizedAnswerIsStillJSON(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.FailNext(clienttest.TokenPath, clienttest.Fault{Pad: 2 << 20}, 1)
		r := refresh(t, s, s.Grant("alice").RefreshToken)
		if len(r.Body) < 2<<20 || r.text("refresh_token") == "" {
			t.Errorf("%d bytes", len(r.Body))
		}
	})
}

func TestFaultsComeInTheOrderInWhichTheyWerePlanned(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 503}, 2)
		s.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 429}, 1)
		s.FailNext(clienttest.RevokePath, clienttest.Fault{Status: 500}, 1)
		rt := s.Grant("alice").RefreshToken
		for i, want := range []int{503, 503, 429, 200} {
			if got := refresh(t, s, rt); got.Status != want {
				t.Errorf("request %d: status %d, want %d", i+1, got.Status, want)
			}
		}
	})
}

func TestAFaultCanStayUntilItIsForgotten(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.FailNext(clienttest.TokenPath, clienttest.Fault{Status: 503}, -1)
		rt := s.Grant("alice").RefreshToken
		for range 5 {
			if got := refresh(t, s, rt); got.Status != 503 {
				t.Fatalf("status %d", got.Status)
			}
		}
		s.FailNext(clienttest.TokenPath, clienttest.Fault{}, 0)
		mustRefresh(t, s, rt)
	})
}

func TestASlowServerTakesItsTime(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.FailNext(clienttest.TokenPath, clienttest.Fault{Delay: 10 * time.Second, DelayAnswer: 5 * time.Second}, 1)
		rt := s.Grant("alice").RefreshToken
		start := time.Now()
		go func() {
			time.Sleep(9 * time.Second)
			if s.Presented(rt) != 1 || s.Spent(rt) != 0 {
				t.Error("after 9 s the request should have come and not be processed")
			}
			time.Sleep(2 * time.Second)
			if s.Spent(rt) != 1 {
				t.Error("after 11 s the request should be processed")
			}
		}()
		mustRefresh(t, s, rt)
		if d := time.Since(start); d != 15*time.Second {
			t.Errorf("the answer came after %v, want 15s", d)
		}
	})
}

func TestALateRequestIsProcessedAfterItsClientHasGone(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) { o.Grace, o.InGrace = time.Minute, clienttest.OneSlot })
		rt := s.Grant("alice").RefreshToken
		held := s.HoldRequest(clienttest.TokenPath)
		impatient := s.HTTPClient()
		impatient.Timeout = 2 * time.Second
		go func() {
			resp, err := impatient.PostForm(s.URL(clienttest.TokenPath), refreshForm(rt))
			if err == nil {
				resp.Body.Close()
				t.Error("a held request was answered")
			}
		}()
		<-held.Arrived()
		time.Sleep(3 * time.Second)
		next, _ := mustRefresh(t, s, rt)
		held.Release()
		synctest.Wait()
		if s.Spent(rt) != 2 {
			t.Errorf("Spent %d, want 2: the late request as well", s.Spent(rt))
		}
		wantError(t, refresh(t, s, next), http.StatusBadRequest, "invalid_grant")
	})
}

func TestAHeldAnswerHasCommittedItsRotation(t *testing.T) {
	everywhere(t, func(t *testing.T, s *clienttest.Server) {
		rt := s.Grant("alice").RefreshToken
		held := s.HoldAnswer(clienttest.TokenPath)
		answered := make(chan reply, 1)
		go func() {
			r, err := tryPost(t, s, clienttest.TokenPath, refreshForm(rt))
			if err != nil {
				t.Error(err)
			}
			answered <- r
		}()
		<-held.Arrived()
		if s.Spent(rt) != 1 {
			t.Errorf("Spent %d, want 1", s.Spent(rt))
		}
		if x := s.Exchanges()[0]; x.Outcome != clienttest.Accepted || x.Status != 0 || x.Issued != s.LiveRefreshToken("alice") {
			t.Errorf("recorded %+v", x)
		}
		held.Release()
		held.Release()
		if r := <-answered; r.text("refresh_token") != s.LiveRefreshToken("alice") {
			t.Errorf("answer %d %s", r.Status, r.Body)
		}
	})
}

func TestCloseCutsOffWhatIsHeldOrDelayed(t *testing.T) {
	everywhere(t, func(t *testing.T, s *clienttest.Server) {
		held := s.HoldRequest(clienttest.TokenPath)
		s.FailNext(clienttest.RevokePath, clienttest.Fault{Delay: time.Hour}, 1)
		failed := make(chan error, 2)
		for _, path := range []string{clienttest.TokenPath, clienttest.RevokePath} {
			go func() {
				_, err := tryPost(t, s, path, refreshForm("x"))
				failed <- err
			}()
		}
		<-held.Arrived()
		s.Close()
		s.Close()
		for range 2 {
			if err := <-failed; err == nil {
				t.Error("a request was answered by a server that is closed")
			}
		}
		if _, err := tryPost(t, s, clienttest.TokenPath, refreshForm("x")); err == nil {
			t.Error("a closed server answers")
		}
	})
}
