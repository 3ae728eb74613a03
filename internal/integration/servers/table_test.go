package servers_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/regrant/regrant/internal/integration/lab"
)

// results are what came of the stories that were told, by story and server.
type results struct {
	mu    sync.Mutex
	cells map[[2]string]string
}

func (r *results) set(story, server, cell string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cells[[2]string{story, server}] = cell
}

const (
	tableBegins = "<!-- The table is made and checked by TestStories in internal/integration/servers. -->\n"
	tableEnds   = "<!-- The end of the table. -->\n"
)

// table returns all that is known as text: what came of a story now, and, where it
// was not told, what the document says.
func (r *results) table(before map[[2]string]string) string {
	var b strings.Builder
	b.WriteString("| story |")
	servers := all()
	for _, s := range servers {
		fmt.Fprintf(&b, " %s |", s.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(servers)) + "\n")
	for _, st := range stories() {
		fmt.Fprintf(&b, "| %s |", st.name)
		for _, s := range servers {
			at := [2]string{st.name, s.name}
			cell := r.cells[at]
			if cell == "" {
				cell = before[at]
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// check compares what came of the stories with the table of the document.
func (r *results) check(t *testing.T) {
	if len(r.cells) == 0 {
		return // every server is missing
	}
	name := filepath.Join(lab.Root(t), "internal", "docs", "servers.md")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := bytes.Cut(text, []byte(tableBegins))
	old, tail, ok2 := bytes.Cut(rest, []byte(tableEnds))
	if !ok1 || !ok2 {
		t.Fatalf("%s has lost the marks around its table", name)
	}
	table := r.table(parse(string(old)))
	t.Logf("what came of the stories:\n%s", table)
	switch {
	case table == string(old):
	case !*update:
		t.Errorf("%s tells otherwise:\n%s\nIf what came of the stories is right, run this test with -update.", filepath.Base(name), old)
	case !t.Failed():
		if err := os.WriteFile(name, []byte(string(head)+tableBegins+table+tableEnds+string(tail)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parse reads a table back.
func parse(table string) map[[2]string]string {
	cells := map[[2]string]string{}
	var servers []string
	for line := range strings.Lines(table) {
		row := strings.Split(strings.Trim(line, "|\n"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		if servers == nil {
			servers = row[1:]
			continue
		}
		for i, cell := range row[1:] {
			cells[[2]string{row[0], servers[i]}] = cell
		}
	}
	return cells
}
