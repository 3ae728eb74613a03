package main

import (
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
)

func TestAWrongCommandLineIsToldInJSONWhereverThatIsAskedFor(t *testing.T) {
	h := newHome(t)
	for line, asked := range map[string]bool{
		"token --bad --json":                true,
		"token --json --bad":                true,
		"--json token --bad":                true,
		"--bad token --json":                true,
		"token --bad --json=true":           true,
		"call --max-time x --json":          true,
		"helper git --bad --json":           true,
		"no-such-command --json":            true,
		"login --client-secret=x --json":    true,
		"token --bad":                       false,
		"token --bad --json=false":          false,
		"token --bad --json=x":              false,
		"exec --bad -- program --json":      false,
		"login --param=x --store=y --wrong": false,
	} {
		o := h.run(strings.Fields(line)...)
		if o.code != 2 || o.out != "" {
			t.Errorf("%s: exit code %d, want 2; prints %q", line, o.code, o.out)
		}
		if got := strings.HasPrefix(o.err, "{"); got != asked {
			t.Errorf("%s: in JSON: %t, want %t: %s", line, got, asked, o.err)
		}
		if asked {
			if told := parse[struct {
				Error, Hint string
				Code        int
			}](t, o.err); told.Error == "" || told.Hint == "" || told.Code != 2 {
				t.Errorf("%s: %s", line, o.err)
			}
		}
	}
}

func TestCallSaysWhereABodyGoesToThoseWhoKnowCurl(t *testing.T) {
	s, h := serveAPI(t, nil)
	api := s.URL(clienttest.APIPath)
	for _, args := range [][]string{{api, "--json", `{"a":1}`}, {"--json", `{"a":1}`, api}, {api, `--json={"a":1}`}} {
		o := h.run(append([]string{"call"}, args...)...)
		if o.code != 2 {
			t.Errorf("%q: exit code %d, want 2", args, o.code)
		}
		contains(t, o.err, "the body of a request goes behind -d", "regrant call URL -d BODY")
	}
}
