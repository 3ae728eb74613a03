package webapp_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A thing is what a screen reader is told.
type thing struct {
	Role, Name string
	Level      int // of a heading
}

// things returns what is on the page for a screen reader, in its order.
func (b *tab) things() (all []thing) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tree, err := chromedp.Run(ctx, func(ctx context.Context, target *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
		return cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	word := func(v *accessibility.Value) (s string) {
		if v != nil {
			_ = json.Unmarshal(v.Value, &s) // a name is a string
		}
		return s
	}
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		one := thing{Role: word(n.Role), Name: word(n.Name)}
		for _, p := range n.Properties {
			if p.Name == "level" {
				_ = json.Unmarshal(p.Value.Value, &one.Level)
			}
		}
		all = append(all, one)
	}
	return all
}

// told checks what a screen reader tells of a page: what can be used has a name,
// headings make an outline, and there is one main part.
func (b *tab) told(want ...thing) {
	b.t.Helper()
	all := b.things()
	level, mains := 0, 0
	for _, one := range all {
		switch one.Role {
		case "button", "link", "radio", "textbox", "image", "img", "progressbar", "ProgressIndicator", "table", "region", "group":
			if strings.TrimSpace(one.Name) == "" && one.Role != "group" {
				b.t.Errorf("a %s has no name, on %s", one.Role, b.location())
			}
		case "heading":
			if one.Level > level+1 {
				b.t.Errorf("the heading %q of level %d follows one of level %d", one.Name, one.Level, level)
			}
			level = one.Level
		case "main":
			mains++
		}
	}
	if mains != 1 {
		b.t.Errorf("%d main parts on %s", mains, b.location())
	}
	for _, w := range want {
		found := slices.ContainsFunc(all, func(one thing) bool {
			return one.Role == w.Role && strings.Contains(one.Name, w.Name) && (w.Level == 0 || one.Level == w.Level)
		})
		if !found {
			b.t.Errorf("no %s is told as %q; these are: %v", w.Role, w.Name, all)
		}
	}
}

// keyboardAndReader goes through the application by the Tab and Enter keys alone.
func keyboardAndReader(t *testing.T, c *chromium) {
	app := start(t, c.program)
	b := c.person(t)
	b.open(app.URL)
	b.told(thing{"heading", "Works while you are away", 1}, thing{"button", "Sign in with Accounts", 0})
	b.tabTo("Sign in with Accounts")
	b.told(thing{"radio", "alice", 0}, thing{"button", "Refuse", 0}, thing{"heading", "Let connections in?", 1})
	b.tabTo("Allow")
	b.sees("You are signed in.")
	b.told(thing{"status", "", 0}, thing{"table", "The health of your connections", 0}, thing{"columnheader", "Access token", 0}, thing{"rowheader", "Calendar", 0})
	b.tabTo("Connect Calendar")
	b.tabTo("Allow")
	b.told(thing{"button", "Disconnect Calendar", 0}, thing{"image", "Calendar: the access token ends in", 0})
	b.size(375, 700)
	b.told(thing{"table", "The health of your connections", 0}, thing{"cell", "", 0}, thing{"rowheader", "Calendar", 0})
	b.size(1280, 900)
	b.tabTo("Run the job")
	b.told(thing{"progressbar", "Round", 0}, thing{"table", "What the job has done", 0})
	b.tabTo("Calendar")
	b.told(thing{"heading", "Calendar", 1}, thing{"heading", "The grant", 2})
	b.open(app.URL + "/nowhere")
	b.told(thing{"heading", "There is no such page", 1})
}

// tabTo presses Tab until the focus is on what is told by name, and then Enter.
func (b *tab) tabTo(name string) {
	b.t.Helper()
	for range 60 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if b.focused() == name {
			ctx, cancel := context.WithTimeout(b.ctx, patience)
			defer cancel()
			if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
				b.t.Fatalf("Enter on %q: %v\n%s", name, err, b.where())
			}
			return
		}
	}
	b.t.Fatalf("Tab never comes to %q\n%s", name, b.where())
}

// focused returns the name of what has the focus.
func (b *tab) focused() string {
	b.t.Helper()
	return evaluate[string](b, `document.activeElement.textContent.trim().replace(/\s+/g, " ")`)
}
