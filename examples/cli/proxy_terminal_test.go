//go:build unix

package main

import (
	"testing"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/terminal"
)

func TestTheProxySaysHowToUseItAndEndsWell(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	x := h.open(100, 24, "proxy", s.Issuer()+"/api")
	x.See("curl --config -")
	x.Golden("proxy")
	x.Press(terminal.CtrlC)
	if code := x.Wait(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, x.Text())
	}
}
