package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// pollFault is an answer of the token endpoint with this error code.
func pollFault(status int, code string) clienttest.Fault {
	return clienttest.Fault{Status: status, Body: fmt.Sprintf(`{"error":%q}`, code)}
}

// gaps are the times from the device authorization request to the first poll,
// and from each poll to the next.
func gaps(as *clienttest.Server) (list []time.Duration) {
	last := requestsTo(as, clienttest.DevicePath)[0].Time
	for _, x := range requestsTo(as, clienttest.TokenPath) {
		list = append(list, x.Time.Sub(last))
		last = x.Time
	}
	return list
}

func seconds(list ...int) (d []time.Duration) {
	for _, s := range list {
		d = append(d, time.Duration(s)*time.Second)
	}
	return d
}

func TestADevicePollsSlowerForGoodAfterEachSlowDown(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		for _, code := range []string{"authorization_pending", "slow_down", "slow_down", "authorization_pending"} {
			as.FailNext(clienttest.TokenPath, pollFault(http.StatusBadRequest, code), 1)
		}
		me := accountOf(t, as.Config())
		wantSignedIn(t, as, me, me.Login(t.Context(), approving(as)))
		if got, want := gaps(as), seconds(5, 5, 10, 15, 15); !slices.Equal(got, want) {
			t.Errorf("gaps between polls %v, want %v", got, want)
		}
	})
}

func TestADeviceListensToTheErrorCodeNotToTheStatus(t *testing.T) {
	for _, status := range []int{200, 401, 403, 429, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.FailNext(clienttest.TokenPath, pollFault(status, "authorization_pending"), 2)
				as.FailNext(clienttest.TokenPath, pollFault(status, "slow_down"), 1)
				me := accountOf(t, as.Config())
				wantSignedIn(t, as, me, me.Login(t.Context(), approving(as)))
				if got, want := gaps(as), seconds(5, 5, 5, 10); !slices.Equal(got, want) {
					t.Errorf("gaps between polls %v, want %v", got, want)
				}
			})
		})
	}
}

func TestADeviceBoundsTheIntervalThatTheServerNames(t *testing.T) {
	for _, c := range []struct {
		interval any // nil: missing
		want     int
	}{
		{nil, 5}, {0, 5}, {-1, 5}, {"", 5}, {"soon", 5}, {true, 5}, {[]int{9}, 5}, {7, 7}, {"7", 7},
		{0.001, 1}, {1.5, 2}, {61, 60}, {1e12, 60}, {-1e12, 5}, {"Inf", 60}, {"NaN", 5}, {"1e400", 60},
	} {
		t.Run(fmt.Sprint(c.interval), func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				tamper(as, clienttest.DevicePath, func(_ clienttest.Exchange, answer map[string]any) {
					if answer["interval"] = c.interval; c.interval == nil {
						delete(answer, "interval")
					}
				})
				me := accountOf(t, as.Config())
				wantSignedIn(t, as, me, me.Login(t.Context(), client.Device{Show: func(_ context.Context, p *prompt) error {
					if p.Interval != int64(c.want) {
						t.Errorf("Interval %d, want %d", p.Interval, c.want)
					}
					return as.ApproveDevice(p.UserCode, "alice")
				}}))
				if got := gaps(as)[0]; got > time.Duration(c.want)*time.Second || got <= time.Duration(c.want-1)*time.Second {
					t.Errorf("the first poll came after %v, want about %d s", got, c.want)
				}
			})
		})
	}
}

// RFC 8628 section 3.5 asks for it after time-outs; a server that is busy or
// broken is no better off if it is polled on.
func TestADevicePollsLessAndLessWhileTheServerFails(t *testing.T) {
	for name, c := range map[string]struct {
		fault clienttest.Fault
		want  []time.Duration
	}{
		"no answer in 30 s": {clienttest.Fault{Delay: time.Hour}, seconds(5, 30+10, 30+20, 30+40)},
		"broken off":        {clienttest.Fault{Drop: true}, seconds(5, 10, 20, 40)},
		"a gateway's page":  {clienttest.Fault{Status: 502, Body: "<html>Bad Gateway</html>"}, seconds(5, 10, 20, 40)},
		"an error code":     {pollFault(500, "server_error"), seconds(5, 10, 20, 40)},
		"busy": {clienttest.Fault{Status: 429, Header: http.Header{"Retry-After": {"30"}}},
			seconds(5, 30, 30, 40)},
		"away for very long": {clienttest.Fault{Status: 503, Header: http.Header{"Retry-After": {"99999999"}}},
			seconds(5, 300, 300, 300)},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				tamper(as, clienttest.DevicePath, func(_ clienttest.Exchange, answer map[string]any) {
					answer["expires_in"] = 1800
				})
				as.FailNext(clienttest.TokenPath, c.fault, 3)
				as.FailNext(clienttest.TokenPath, pollFault(400, "authorization_pending"), -1)
				me := accountOf(t, as.Config())
				wantNoLogin(t, me, me.Login(t.Context(), client.Device{Show: ignored}), "expired_token")
				got := gaps(as)
				if !slices.Equal(got[:4], c.want) {
					t.Errorf("gaps %v, want %v", got[:4], c.want)
				}
				if got[4] != 5*time.Second {
					t.Errorf("%v after the server had recovered the device polled again, want 5s", got[4])
				}
			})
		})
	}
}

func TestADeviceStopsAtAnyOtherErrorCode(t *testing.T) {
	for code, words := range map[string]string{
		"access_denied":           "the user, or the server, refused the login",
		"expired_token":           "log in again for a new one",
		"invalid_grant":           "invalid_grant",
		"invalid_client":          "invalid_client",
		"temporarily_unavailable": "temporarily_unavailable",
		"what_is_this":            "what_is_this",
	} {
		t.Run(code, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.FailNext(clienttest.TokenPath, pollFault(400, code), -1)
				me := accountOf(t, as.Config())
				err := me.Login(t.Context(), client.Device{Show: ignored})
				wantNoLogin(t, me, err, code, words)
				time.Sleep(time.Hour)
				if n := as.Requests(clienttest.TokenPath); n != 1 {
					t.Errorf("%d polls, want 1", n)
				}
			})
		})
	}
}

func TestADeviceIsNotSentElsewhereAndStopsAtAPageOfAProxy(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{
		"redirect": {Status: 307, Header: http.Header{"Location": {"https://as.example/elsewhere"}}},
		"firewall": {Status: 403, Body: "<html>no</html>"},
		"no JSON":  {Status: 200, Body: "<html>welcome</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				as.FailNext(clienttest.TokenPath, fault, -1)
				me := accountOf(t, as.Config())
				wantNoLogin(t, me, me.Login(t.Context(), client.Device{Show: ignored}), "")
				if n := as.Requests(clienttest.TokenPath); n != 1 || as.Requests("/elsewhere") != 0 {
					t.Errorf("%d polls, want 1 and nothing elsewhere", n)
				}
			})
		})
	}
}

func TestADeviceLoginEndsWhenTheCodeExpires(t *testing.T) {
	const most = 30 * time.Minute
	for _, c := range []struct {
		expiresIn any // nil: missing
		want      time.Duration
	}{
		{nil, most}, {0, most}, {-1, most}, {"", most}, {1e15, most}, {"1e999", most}, {7200, most},
		{60, time.Minute}, {"60", time.Minute}, {0.5, time.Second / 2},
	} {
		t.Run(fmt.Sprint(c.expiresIn), func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				tamper(as, clienttest.DevicePath, func(_ clienttest.Exchange, answer map[string]any) {
					if answer["expires_in"] = c.expiresIn; c.expiresIn == nil {
						delete(answer, "expires_in")
					}
				})
				as.FailNext(clienttest.TokenPath, pollFault(400, "authorization_pending"), -1)
				me := accountOf(t, as.Config())
				begun := time.Now()
				var expiry time.Time
				err := me.Login(t.Context(), client.Device{Show: func(_ context.Context, p *prompt) error {
					expiry = p.Expiry
					return nil
				}})
				wantNoLogin(t, me, err, "expired_token", "log in again for a new one")
				if took := time.Since(begun); took != c.want || expiry.Sub(begun) != c.want {
					t.Errorf("Login took %v and the prompt said %v, want %v", took, expiry.Sub(begun), c.want)
				}
			})
		})
	}
}

func TestALostAnswerToAPollIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		as.FailNext(clienttest.TokenPath, clienttest.Fault{Drop: true, Commit: true}, 1)
		me := accountOf(t, as.Config())
		wantNoLogin(t, me, me.Login(t.Context(), approving(as)), "invalid_grant", "an earlier answer of the server did not arrive")
	})
}

func TestTheContextOfShowEndsWithTheLogin(t *testing.T) {
	for name, deny := range map[string]bool{"success": false, "refusal": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, as *clienttest.Server) {
				me := accountOf(t, as.Config())
				shown := make(chan context.Context, 1)
				err := me.Login(t.Context(), client.Device{Show: func(ctx context.Context, p *prompt) error {
					shown <- ctx
					if deny {
						return as.DenyDevice(p.UserCode)
					}
					return as.ApproveDevice(p.UserCode, "alice")
				}})
				if denied := err != nil; denied != deny {
					t.Errorf("Login returned %v", err)
				}
				if (<-shown).Err() == nil {
					t.Error("the context that Show got goes on after the login")
				}
			})
		})
	}
}

func TestADeviceLoginEndsWithItsContextAndWithTheClient(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		me := accountOf(t, as.Config())
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		err := me.Login(ctx, client.Device{Show: ignored})
		wantNoLogin(t, me, err, "", "the user did not finish the login in time")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Login returned %v, want context.DeadlineExceeded in it", err)
		}

		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		time.AfterFunc(7*time.Second, cancel)
		err = me.Login(ctx, client.Device{Show: ignored})
		wantNoLogin(t, me, err, "", "given up")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Login returned %v, want context.Canceled in it", err)
		}

		c, err := client.New(as.Config())
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		time.AfterFunc(7*time.Second, func() { _ = c.Close() })
		err = c.Account("alice").Login(t.Context(), client.Device{Show: ignored})
		if !errors.Is(err, client.ErrClosed) || time.Since(begun) != 7*time.Second {
			t.Errorf("%v after Close, Login returned %v, want ErrClosed", time.Since(begun)-7*time.Second, err)
		}
	})
}

func TestAnApprovalDuringTheLastPollCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, as *clienttest.Server) {
		tamper(as, clienttest.DevicePath, func(_ clienttest.Exchange, answer map[string]any) { answer["expires_in"] = 6 })
		held := as.HoldAnswer(clienttest.TokenPath) // at 5 s
		time.AfterFunc(8*time.Second, held.Release)
		me := accountOf(t, as.Config())
		wantSignedIn(t, as, me, me.Login(t.Context(), approving(as)))
	})
}
