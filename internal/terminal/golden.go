//go:build unix

package terminal

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// variable is what differs from run to run: ports, times, what belongs to one login, and a QR
// code that has it.
var variable = regexp.MustCompile(`(127\.0\.0\.1|localhost):\d+(/[a-z/]*\?[^ \n]+(\n[^ \n]+)*)?|[A-Z0-9]{4}-[A-Z0-9]{4}|[A-Z2-7]{26}|([█▀▄ ]{20,}\n)+|([━╸·]+ )?\b\d+:\d\d\b`)

// Golden waits until the screen is as in testdata/NAME.screen, where "…" stands for what
// differs from run to run. known are pairs of a text that does, too, such as the home of
// the user, and what to have in its place. A test binary with a flag "update" that is set
// writes the file anew, with what is on the screen.
func (x *Terminal) Golden(name string, known ...string) {
	x.t.Helper()
	constant := func(screen string) string {
		return variable.ReplaceAllString(strings.NewReplacer(known...).Replace(screen), "…")
	}
	file := filepath.Join("testdata", name+".screen")
	if update := flag.Lookup("update"); update != nil && update.Value.String() == "true" {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(constant(x.Text())), 0o644)); err != nil {
			x.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		x.t.Fatal(err)
	}
	if !x.until(func(screen string) bool { return constant(screen) == string(want) }) {
		x.t.Errorf("the screen is not %s (-update writes it anew):\n%s", file, constant(x.Text()))
	}
}
