package webapp_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/regrant/regrant/internal/integration/lab"
)

// axe returns the script of axe-core (github.com/dequelabs/axe-core), which knows
// the rules of WCAG: contrast, names, labels, tables, and so on. Its service is
// "axe-core".
func axe(t *testing.T) string {
	t.Helper()
	var script []byte
	err := errors.New("REGRANT_AXE does not name the axe.min.js of the npm package axe-core: install it")
	if name := os.Getenv("REGRANT_AXE"); name != "" {
		script, err = os.ReadFile(name)
	}
	lab.Require(t, "axe-core", err)
	return string(script)
}

// A violation is a rule that a page breaks.
type violation struct {
	ID    string
	Help  string
	Nodes []struct {
		HTML           string
		FailureSummary string
	}
}

// checked lets the checker look at the page, in the light and in the dark.
func (b *tab) checked(script string) {
	b.t.Helper()
	b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false}))
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		evaluate[bool](b, script+"; true")
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		answer, err := chromedp.Run(ctx, chromedp.Evaluate[string](`axe.run().then(r => JSON.stringify({passes: r.passes.length, violations: r.violations}))`, chromedp.EvalAwaitPromise))
		cancel()
		if err != nil {
			b.t.Fatal(err)
		}
		var found struct {
			Passes     int
			Violations []violation
		}
		if err := json.Unmarshal([]byte(answer), &found); err != nil {
			b.t.Fatal(err)
		}
		if found.Passes < 10 {
			b.t.Errorf("only %d rules apply to %s", found.Passes, b.location())
		}
		for _, v := range found.Violations {
			b.t.Errorf("%s, dark %v: %s: %s", b.location(), dark, v.ID, v.Help)
			for _, n := range v.Nodes {
				b.t.Logf("  %s\n%s", n.HTML, n.FailureSummary)
			}
		}
	}
	b.dark(false)
	b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}

func checker(t *testing.T, c *chromium) {
	script := axe(t)
	app := start(t, c.program, "-job", "1s")
	b := c.person(t)
	b.open(app.URL)
	b.checked(script)
	b.press("Sign in with Accounts")
	b.checked(script)
	b.allow("")
	b.connect("Calendar")
	b.press("Run the job")
	b.checked(script)
	b.size(375, 700)
	b.checked(script)
	b.size(1280, 900)
	b.press("Calendar")
	b.checked(script)
	b.press("Revoke the grant")
	b.press("Connections")
	b.checked(script)
	b.open(app.URL + "/signin/callback")
	b.checked(script)
}
