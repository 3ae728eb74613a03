package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// A Result is what -json prints.
type Result struct {
	Machine Machine
	Cases   []*Report
}

// A Machine is what the times, unlike the ratios, depend on.
type Machine struct {
	Go, OS, Arch string
	Cores        int    // GOMAXPROCS
	Load         string `json:",omitempty"` // when it began, as /proc/loadavg has it
}

func machine() Machine {
	m := Machine{runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), ""}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.TrimSpace(string(text))
	}
	return m
}

func (m Machine) String() string {
	text := fmt.Sprintf("%s, %s/%s, GOMAXPROCS %d", m.Go, m.OS, m.Arch, m.Cores)
	if m.Load != "" {
		text += ", load " + m.Load
	}
	return text
}

// A Report is what a case has found.
type Report struct {
	Case    string
	Title   string
	Rows    []Row
	Bars    []Bar
	Notes   []string `json:",omitempty"`
	Skipped string   `json:",omitempty"` // what was missing
	Error   string   `json:",omitempty"`
	Seconds float64
}

// A Row is what was measured of one subject.
type Row struct {
	Who     string
	Figures []Figure
}

// A Figure is one measured number.
type Figure struct {
	Name  string
	Value float64
	Unit  string
}

// A Bar is a number that regrant is to reach.
type Bar struct {
	What  string
	Value float64
	Op    string // "≤" or "≥"
	Limit float64
	Unit  string
	Met   bool
}

func (r *Report) row(who string, figures ...Figure) {
	r.Rows = append(r.Rows, Row{who, figures})
}

func (r *Report) atMost(what string, value, limit float64, unit string) {
	r.Bars = append(r.Bars, Bar{what, finite(value), "≤", limit, unit, value <= limit})
}

func (r *Report) atLeast(what string, value, limit float64, unit string) {
	r.Bars = append(r.Bars, Bar{what, finite(value), "≥", limit, unit, value >= limit})
}

func (r *Report) notef(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// finite keeps JSON, which knows no other numbers, possible.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return -1
	}
	return v
}

// number prints as many digits as mean something.
func number(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e7, a >= 1000:
		return fmt.Sprintf("%.0f", v)
	case a >= 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func (f Figure) String() string {
	if f.Unit == "×" {
		return "×" + number(f.Value)
	}
	return strings.TrimSpace(number(f.Value) + " " + f.Unit)
}

func (b Bar) String() string {
	verdict := "met"
	if !b.Met {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%-6s  %s: %v %s %v", verdict, b.What, Figure{"", b.Value, b.Unit}, b.Op, Figure{"", b.Limit, b.Unit})
}

// print writes the report as a person reads it.
func (r *Report) print(w io.Writer) {
	fmt.Fprintf(w, "\n== %s: %s (%.1f s)\n", r.Case, r.Title, r.Seconds)
	if r.Skipped != "" {
		fmt.Fprintln(w, "skipped:", r.Skipped)
	}
	var columns []string
	for _, row := range r.Rows {
		for _, f := range row.Figures {
			if !slices.Contains(columns, f.Name) {
				columns = append(columns, f.Name)
			}
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	if len(r.Rows) > 0 {
		fmt.Fprintln(table, "\t"+strings.Join(columns, "\t"))
	}
	for _, row := range r.Rows {
		cells := []string{row.Who}
		for _, name := range columns {
			cell := "-"
			for _, f := range row.Figures {
				if f.Name == name {
					cell = f.String()
				}
			}
			cells = append(cells, cell)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	_ = table.Flush()
	for _, b := range r.Bars {
		fmt.Fprintln(w, b)
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, "note:", n)
	}
	if r.Error != "" {
		fmt.Fprintln(w, "FAILED:", r.Error)
	}
}
