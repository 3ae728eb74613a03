package ui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Table lays out rows below their heads, in columns as wide as what is in them. If
// the screen is too narrow for that, each row becomes a block of lines. On a pipe
// columns are separated by tabs, for cut and awk.
func (s *Screen) Table(head []string, rows [][]string) string {
	if !s.Terminal() {
		var b strings.Builder
		for _, row := range append([][]string{head}, rows...) {
			b.WriteString(ansi.Strip(strings.Join(row, "\t")) + "\n")
		}
		return b.String()
	}
	head, rows = filled(head, rows)
	const gap = 2
	widths, total := make([]int, len(head)), -gap
	for i := range head {
		widths[i] = ansi.StringWidth(head[i])
		for _, row := range rows {
			widths[i] = max(widths[i], ansi.StringWidth(row[i]))
		}
		total += widths[i] + gap
	}
	if total > s.Width() {
		return s.blocks(head, rows)
	}
	var b strings.Builder
	line := func(cells []string, style func(string) string) {
		var l strings.Builder
		for i, cell := range cells {
			l.WriteString(style(cell) + strings.Repeat(" ", widths[i]+gap-ansi.StringWidth(cell)))
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	line(head, Faint)
	for _, row := range rows {
		line(row, func(s string) string { return s })
	}
	return b.String()
}

// filled leaves out columns with nothing in them.
func filled(head []string, rows [][]string) ([]string, [][]string) {
	var columns []int
	for i := range head {
		if slices.ContainsFunc(rows, func(row []string) bool { return ansi.StringWidth(row[i]) > 0 }) {
			columns = append(columns, i)
		}
	}
	pick := func(cells []string) []string {
		picked := make([]string, len(columns))
		for to, from := range columns {
			picked[to] = cells[from]
		}
		return picked
	}
	short := make([][]string, len(rows))
	for i, row := range rows {
		short[i] = pick(row)
	}
	return pick(head), short
}

// blocks shows each row as lines of head and cell.
func (s *Screen) blocks(head []string, rows [][]string) string {
	most := 0
	for _, h := range head {
		most = max(most, ansi.StringWidth(h))
	}
	var b strings.Builder
	for i, row := range rows {
		if i > 0 {
			b.WriteString("\n")
		}
		for j, cell := range row {
			if ansi.StringWidth(cell) > 0 {
				label := Faint(head[j]) + strings.Repeat(" ", most-ansi.StringWidth(head[j]))
				b.WriteString(ansi.Truncate(label+"  "+cell, s.Width(), "…") + "\n")
			}
		}
	}
	return b.String()
}
