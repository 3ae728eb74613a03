package servers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/regrant/regrant/client/provider"
	"github.com/regrant/regrant/internal/integration/lab"
)

// Every provider that a program can log in to is played, and the stories of all
// servers, and a few more, are told of each. What came of them is in
// client/provider/stories.md, for people.
//
// It does not run in parallel with the stories of real servers, whose tokens live for
// two seconds: it leaves no processor idle.
func TestStoriesOfProviders(t *testing.T) {
	results := &results{cells: map[[2]string]string{}}
	told := append(stories(), profileStories()...)
	t.Run("at", func(t *testing.T) {
		for _, s := range personalities() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				start := s.open(t)
				for _, st := range told {
					t.Run(st.name, func(t *testing.T) {
						if st.listens {
							tell(t, s, start, st, results)
							return
						}
						synctest.Test(t, func(t *testing.T) { tell(t, s, start, st, results) })
					})
				}
			})
		}
	})
	switch want := len(told) * len(personalities()); {
	case t.Failed():
	case len(results.cells) == want:
		results.checkPage(t, told)
	case *update:
		t.Errorf("%d of %d stories were told: the page is not written", len(results.cells), want)
	}
}

// checkPage compares what came of the stories with the page.
func (r *results) checkPage(t *testing.T, told []story) {
	name := filepath.Join(lab.Root(t), "client", "provider", "stories.md")
	page := r.page(told)
	if *update {
		if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if written, err := os.ReadFile(name); err != nil || string(written) != page {
		t.Errorf("%s tells otherwise (%v). If what came of the stories is right, run this test with -update:\n%s", filepath.Base(name), err, page)
	}
}

const pageHead = `# What a program meets

Each provider of [the table](providers.md) is played by ` + "`clienttest`" + `, from that table, and a program that knows no more than its
name goes through the stories that [real servers](../../internal/docs/servers.md) are in as well, and through a few more. Each
outcome is followed by the providers that have it. In these stories hours are over at once, and the three processes of the ten
expiries are three programs in one. Where the table says nothing, clienttest does what it always does: restarts, second logins, and
the device flows of servers with discovery say something of regrant, and nothing of the provider.

` + "`go test ./servers -run TestStoriesOfProviders -update`" + ` in internal/integration writes this page; the test fails if it is not true.

`

func (r *results) page(told []story) string {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, p := range provider.All() {
		if p.Unsupported != "" {
			fmt.Fprintf(&b, "No story is told of %s: %s.\n", p.Title, p.Unsupported)
		}
	}
	for _, st := range told {
		fmt.Fprintf(&b, "\n## %s\n\n", st.name)
		var outcomes []string
		names := map[string][]string{}
		for _, s := range personalities() {
			cell := r.cells[[2]string{st.name, s.name}]
			if names[cell] == nil {
				outcomes = append(outcomes, cell)
			}
			names[cell] = append(names[cell], s.name)
		}
		for _, o := range outcomes {
			who := strings.Join(names[o], ", ")
			if len(outcomes) == 1 {
				who = "all of them"
			}
			fmt.Fprintf(&b, "- **%s** · %s\n", o, who)
		}
	}
	return b.String()
}
