package client_test

import (
	"errors"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
)

// A web program makes an Account per request and holds none of them.
func TestABackOffIsRememberedByNobodyInParticular(t *testing.T) {
	inService(t, 1, func(t *testing.T, s *service) {
		c := s.machine()
		time.Sleep(month)
		s.as.FailNext(clienttest.TokenPath, clienttest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"60"}}}, -1)
		for range 30 {
			_, err := c.Account(name(0)).Token(t.Context())
			if e, ok := errors.AsType[*client.Error](err); !ok || !e.Temporary {
				t.Fatalf("Token: %v", err)
			}
			runtime.GC()
			runtime.GC() // a cleanup and what it frees take two
			time.Sleep(time.Second)
		}
		if n := s.as.RefreshCount(); n != 1 {
			t.Errorf("the server was asked %d times within the minute that it had asked for", n)
		}
	})
}
