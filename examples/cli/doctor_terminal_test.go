//go:build unix

package main

import (
	"testing"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/terminal"
)

func TestDoctorTalksToAPerson(t *testing.T) {
	s, h := clienttest.NewServer(t), newHome(t)
	h.login(s)
	h = h.with("XDG_DATA_HOME=/dev/null") // nothing can be written there
	x := h.open(110, 60, "doctor", "--deep")
	x.See("[y/N]")
	x.Press("n" + terminal.Enter)
	if code := x.Wait(); code != 7 {
		t.Errorf("exit code %d", code)
	}
	x.Golden("doctor")
}
