//go:build unix

package main

import (
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestTheProxySaysHowToUseItAndEndsWell(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	x := h.open(100, 24, "proxy", s.Issuer()+"/api")
	x.see("curl --config -")
	x.golden("proxy")
	x.press(ctrlC)
	if code := x.wait(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, x.text())
	}
}
