package helper_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/examples/cli/internal/helper"
)

// FuzzGit: what git says is read without a fault, and a name that it says adds no line to
// the answer.
func FuzzGit(f *testing.F) {
	for _, seed := range []string{"protocol=https\nhost=h\nusername=u\npassword=p\n\n", "host", "=", "username=a\rb\n", "wwwauth[]=Basic\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := helper.ReadGit(strings.NewReader(text))
		if err != nil {
			return
		}
		var answer bytes.Buffer
		if err := helper.WriteGit(&answer, q.Username, "token", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(answer.String(), "\n"); n != 2 {
			t.Errorf("%d lines: %q", n, answer.String())
		}
	})
}
