//go:build unix

package terminal

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
)

// variable is what differs from run to run: ports, times, what belongs to one login, and a QR
// code that has it.
var variable = regexp.MustCompile(`127\.0\.0\.1:\d+(/authorize\?[^ \n]+(\n[^ \n]+)*)?|[A-Z0-9]{4}-[A-Z0-9]{4}|[A-Z2-7]{26}|([█▀▄ ]{20,}\n)+|\b\d+:\d\d\b`)

// Golden compares the screen to testdata/NAME.screen, in which "…" stands for what
// differs from run to run. A test binary with a flag "update" that is set writes it
// anew.
func (x *Terminal) Golden(name string) {
	x.t.Helper()
	got := variable.ReplaceAllString(x.Text(), "…")
	file := filepath.Join("testdata", name+".screen")
	if update := flag.Lookup("update"); update != nil && update.Value.String() == "true" {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			x.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		x.t.Fatal(err)
	}
	if got != string(want) {
		x.t.Errorf("the screen is not %s (-update writes it anew):\n%s", file, got)
	}
}
