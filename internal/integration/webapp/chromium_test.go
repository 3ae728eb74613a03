package webapp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/regrant/regrant/internal/integration/lab"
)

// A chromium is a running browser, in which each person has cookies of their own.
type chromium struct {
	ctx     context.Context
	program string // examples/web
}

// startChromium starts a browser of the test's own. Its service is "chromium".
func startChromium(t *testing.T) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if path, err = exec.LookPath("google-chrome"); err != nil {
			err = errors.New("there is no chromium: install it (Debian: chromium)")
		}
	}
	lab.Require(t, "chromium", err)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path),
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"), // nothing depends on what the pages of servers load from elsewhere
		chromedp.Flag("no-sandbox", os.Getuid() == 0),                                                 // which root cannot have
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // new kinds of events are no errors
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &chromium{ctx, build(t)}
}

// A tab is one that a person has open.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string // what the browser complains about
}

// patience bounds each step.
const patience = time.Minute

// person opens the first tab of somebody with cookies of their own. The pages work
// without JavaScript, so there is none.
func (c *chromium) person(t *testing.T) *tab {
	t.Helper()
	return openTab(c.ctx, t, chromedp.WithNewBrowserContext())
}

// another opens one more tab of the same person.
func (b *tab) another() *tab {
	b.t.Helper()
	return openTab(b.ctx, b.t, chromedp.WithExistingBrowserContext(chromedp.FromContext(b.ctx).BrowserContextID))
}

func openTab(in context.Context, t *testing.T, option chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(in, option)
	b := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		for _, p := range b.problems {
			t.Errorf("the browser complains: %s", p)
		}
	})
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	b.do(
		call(cdplog.Enable, cdp.Empty{}),
		call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}),
	)
	b.size(1280, 900)
	return b
}

// call is a command of the protocol whose answer does not matter.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, command, params)
		return chromedp.Void{}, err
	}
}

// heard notes what a developer would see in red: errors of scripts, violations of
// the policy, files that are missing. A page about an error is none, nor is a server
// that has no icon.
func (b *tab) heard(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		aPage := e.Entry.Source == "network" && !regexp.MustCompile(`\.(css|svg)$`).MatchString(e.Entry.URL)
		if e.Entry.Level == "error" && !aPage {
			b.problems = append(b.problems, fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.problems = append(b.problems, "console."+string(e.Type))
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\n%s", err, b.where())
	}
}

func (b *tab) where() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	location, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.TextContent(chromedp.CSS("body")))
	return location + "\n" + text
}

// open opens a page.
func (b *tab) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

// press clicks on the button, link or label that says text, and waits for the
// page that comes of it.
func (b *tab) press(text string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(control(text))); err != nil {
		b.t.Fatalf("pressing %q: %v\n%s", text, err, b.where())
	}
}

func control(text string) chromedp.Search {
	return chromedp.Search(fmt.Sprintf(`//*[(self::a or self::button or self::label or self::summary) and normalize-space(.)=%q]`, text))
}

// choose picks a radio button by its label.
func (b *tab) choose(label string) {
	b.t.Helper()
	b.do(chromedp.Click(control(label)))
}

// fill types into the field of a form.
func (b *tab) fill(name, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(fmt.Sprintf("input[name=%q]", name)), text))
}

// text returns what the page says.
func (b *tab) text() string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// location returns the address of the page.
func (b *tab) location() string {
	b.t.Helper()
	return evaluate[string](b, "location.href")
}

// sees checks what the page says, and what it does not ("!word").
func (b *tab) sees(words ...string) {
	b.t.Helper()
	text := b.text()
	for _, word := range words {
		want := true
		if rest, not := strings.CutPrefix(word, "!"); not {
			word, want = rest, false
		}
		if strings.Contains(text, word) != want {
			b.t.Errorf("%q on the page: %v, want %v\n%s", word, !want, want, b.where())
		}
	}
}

// size makes the window so large, and a touch screen of it if it is narrow.
func (b *tab) size(width, height int64) {
	b.t.Helper()
	if width < 500 {
		b.do(chromedp.EmulateViewport(width, height, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
		return
	}
	b.do(chromedp.EmulateViewport(width, height))
}

// dark sets what the system prefers.
func (b *tab) dark(dark bool) {
	b.t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	b.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
	}))
}

// shot takes a picture of the whole page, in the directory that
// REGRANT_SCREENSHOTS names, or that of go test -artifacts.
func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("REGRANT_SCREENSHOTS")
	if dir == "" {
		dir = b.t.ArtifactDir()
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}

// back goes to the page before.
func (b *tab) back() { b.do(chromedp.NavigateBack()) }

// expire lets the cookies of a site whose names begin so come to their end now, and
// tells how long they would have lasted.
func (b *tab) expire(site, prefix string) (ages []time.Duration) {
	b.t.Helper()
	cookies := func(ctx context.Context, target *chromedp.Target) ([]*network.Cookie, error) {
		all, err := cdp.Call(ctx, target, network.GetCookies, network.GetCookiesParams{URLs: []string{site}})
		return slices.DeleteFunc(all.Cookies, func(c *network.Cookie) bool { return !strings.HasPrefix(c.Name, prefix) }), err
	}
	b.do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		found, err := cookies(ctx, target)
		for _, c := range found {
			now := float64(time.Now().UnixMilli()) / 1000
			ages = append(ages, time.Duration((c.Expires-now)*float64(time.Second)))
			_, failed := cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{
				Name: c.Name, Value: c.Value, URL: site, Path: c.Path, HTTPOnly: &c.HTTPOnly, SameSite: c.SameSite, Expires: cdp.TimeSinceEpoch(now + 1),
			})
			err = errors.Join(err, failed)
		}
		for len(found) > 0 && err == nil {
			time.Sleep(50 * time.Millisecond)
			found, err = cookies(ctx, target)
		}
		return chromedp.Void{}, err
	})
	return ages
}

// failedCalls returns how many calls of the job have failed, a number for each
// connection.
func (b *tab) failedCalls() string {
	b.t.Helper()
	return evaluate[string](b, `[...document.querySelectorAll("#job td:nth-child(3)")].map(cell => cell.textContent).join(" ")`)
}

// width returns how wide the page is, however wide the window is.
func (b *tab) width() int64 { return evaluate[int64](b, `document.documentElement.scrollWidth`) }

// brightness returns that of the ground of the page, from 0 to 255.
func (b *tab) brightness() int64 {
	return evaluate[int64](b, `getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).reduce((a, c) => a + +c / 3, 0) | 0`)
}

// evaluate asks the browser itself, which may although the page may not.
func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}
