//go:build unix

package main

import (
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestDoctorTalksToAPerson(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	h = h.with("XDG_DATA_HOME=/dev/null") // nothing can be written there
	x := h.open(110, 60, "doctor", "--deep")
	x.see("[y/N]")
	x.press("n" + enter)
	if code := x.wait(); code != 7 {
		t.Errorf("exit code %d", code)
	}
	x.golden("doctor")
}
