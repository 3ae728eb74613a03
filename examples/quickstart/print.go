package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The columns fill 80: time, process, what happened, generation, calls.
const (
	textAt = 19 // where what happened begins
	narrow = 41 // its width
	wide   = 60 // its width without the columns after it
)

// A look is how a kind of report is shown.
type look struct {
	text    string // if the report has none of its own
	style   style
	grant   bool // tells the generation
	calls   bool // tells the calls since the last line of the process
	several bool // processes that tell the same share a line
}

// looks has the kinds that are shown.
var looks = map[string]look{
	chapter:     {style: bold},
	noted:       {},
	began:       {grant: true, calls: true, several: true},
	renewed:     {text: "renewed the grant", style: green, grant: true, calls: true},
	adopted:     {text: "adopted it from the store", grant: true, calls: true, several: true},
	held:        {text: "sends the refresh token; it is rotated", calls: true},
	killed:      {style: red, calls: true},
	recovered:   {style: green, grant: true, calls: true},
	stopped:     {text: "stopped calling", calls: true, several: true},
	failed:      {style: red, several: true},
	saveFailed:  {style: red},
	renewFailed: {style: red},
	overrun:     {style: red},
}

// print prints reports that tell the same.
func (t *timeline) print(group []report) {
	first := group[0]
	look := looks[first.Kind]
	if first.Kind == chapter {
		t.line("")
		t.line(strings.Repeat(" ", textAt) + t.paint(look.style, first.Text))
		return
	}
	var names []string
	for _, r := range group {
		names = append(names, r.Process)
	}
	text, generation, calls, width := first.Text, "", "", wide
	if text == "" {
		text = look.text
	}
	if look.grant {
		generation = strconv.FormatUint(first.Generation, 10)
	}
	if look.calls {
		calls, width = t.callsOf(group), narrow
	}
	lines := wrap(text, width)
	t.line(fmt.Sprintf("%s  %s  %s %10s %8s",
		t.paint(faint, fmt.Sprintf("%7s", clock(first.Time.Sub(t.start)))),
		t.paint(shade(names), fmt.Sprintf("%-8s", together(names))),
		t.paint(look.style, fmt.Sprintf("%-*s", narrow, lines[0])), generation, calls))
	for _, line := range lines[1:] {
		t.line(strings.Repeat(" ", textAt) + t.paint(look.style, line))
	}
}

// line prints a line. If nobody reads it any more, that ends the show.
func (t *timeline) line(text string) {
	if _, err := fmt.Fprintln(t.out, strings.TrimRight(text, " ")); err != nil {
		t.gone()
	}
}

// callsOf counts the calls that these processes have made since their last line.
func (t *timeline) callsOf(group []report) string {
	var n int64
	for _, r := range group {
		n += r.Calls - t.calls[r.Process]
		t.calls[r.Process] = r.Calls
	}
	if n == 0 {
		return ""
	}
	return thousands(n)
}

// header names the columns.
func (t *timeline) header() string {
	return t.paint(faint, fmt.Sprintf("%7s  %-8s  %-*s %10s %8s", "time", "process", narrow, "what happened", "generation", "calls"))
}

func clock(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// seconds is a duration as a person writes it: 23 ms, 3 s, 2.1 s.
func seconds(d time.Duration) string {
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Round(time.Second/10).Seconds(), 'f', -1, 64) + " s"
}

// thousands is a number with commas.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// together names several processes in one word: p1, p1-p4, p1 p3, or how many.
func together(names []string) string {
	slices.SortFunc(names, func(a, b string) int { return number(a) - number(b) })
	var runs []string
	for i := 0; i < len(names); {
		j := i
		for j+1 < len(names) && number(names[j+1]) == number(names[j])+1 {
			j++
		}
		switch j - i {
		case 0:
			runs = append(runs, names[i])
		case 1:
			runs = append(runs, names[i], names[j])
		default:
			runs = append(runs, names[i]+"-"+names[j])
		}
		i = j + 1
	}
	if all := strings.Join(runs, " "); len(all) <= 8 {
		return all
	}
	return fmt.Sprintf("%d procs", len(names))
}

// shade gives each process a colour of its own.
func shade(names []string) style {
	if n := number(names[0]); len(names) == 1 && n > 0 {
		return shades[n%len(shades)]
	}
	return plain
}

var shades = [...]style{"36", "35", "33", "34", "96", "95", "93", "94"}

// number is that of a child; main and the server have none.
func number(name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "p"))
	if err != nil {
		return 0
	}
	return n
}

// wrap breaks a text between words. A word that is too long keeps its line.
func wrap(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
