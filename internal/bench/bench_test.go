package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/integration/lab"
)

func TestMain(m *testing.M) { lab.Main(m, programs()) }

// tiny is enough to see that a case works.
var tiny = scale{rounds: 1, slice: 50 * time.Microsecond, expiry: time.Second, expiries: 2, lifetimes: 100 * time.Millisecond, known: 1000, starts: 1, sharers: 3, fleet: 40}

// TestEveryCaseRuns runs each case with little work. What it measures means
// nothing then; that it measures, and asks nobody twice, does.
func TestEveryCaseRuns(t *testing.T) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			r := &Report{Case: c.name, Title: c.title}
			c.run(t, &tiny, r)
			if len(r.Rows) == 0 || len(r.Bars) == 0 {
				t.Error("nothing was measured, or nothing compared with a bar")
			}
			if _, err := json.Marshal(r); err != nil {
				t.Error(err)
			}
			var out bytes.Buffer
			r.print(&out)
			t.Log(out.String())
		})
	}
}

// Benchmarks of what is measured call by call, and of the scenarios as a whole:
//
//	go test -run - -bench . -count 10 ./internal/bench | benchstat -
func BenchmarkCases(b *testing.B) {
	for _, c := range cases() {
		if c.contenders == nil {
			b.Run(c.name, c.scenario)
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			for _, who := range c.contenders(b) {
				name := strings.ReplaceAll(who.name, "/", "-")
				b.Run(name+"/sequential", who.sequential)
				b.Run(name+"/parallel", who.parallel)
			}
		})
	}
}

func (c contender) sequential(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := c.call(); err != nil {
			b.Fatal(err)
		}
	}
}

func (c contender) parallel(b *testing.B) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.call(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// scenario reports all figures of the last run. The time that it took says little.
func (c benchCase) scenario(b *testing.B) {
	var r *Report
	for b.Loop() {
		r = &Report{}
		c.run(b, &quick, r)
	}
	unit := strings.NewReplacer(" ", "-", "/", "-")
	for _, row := range r.Rows {
		for _, f := range row.Figures {
			b.ReportMetric(f.Value, unit.Replace(row.Who+":"+f.Name+":"+f.Unit))
		}
	}
}

func TestACaseThatFailsSaysWhy(t *testing.T) {
	for want, play := range map[string]func(testing.TB){
		"no server": func(tb testing.TB) { tb.Fatal(errors.New("no server")) },
		"one; two":  func(tb testing.TB) { tb.Error("one"); tb.Errorf("%s", "two") },
	} {
		c := benchCase{name: "x", run: func(tb testing.TB, _ *scale, _ *Report) { play(tb) }}
		if r := c.report(&tiny); r.Error != want {
			t.Errorf("the report says %q, want %q", r.Error, want)
		}
	}
}

func TestACaseWithoutItsServiceIsSkipped(t *testing.T) {
	t.Setenv("REGRANT_TEST_REQUIRE", "")
	c := benchCase{name: "x", run: func(tb testing.TB, _ *scale, _ *Report) { lab.Require(tb, "x", errors.New("install it")) }}
	if r := c.report(&tiny); r.Error != "" || r.Skipped != "x is missing: install it" {
		t.Errorf("error %q, skipped %q", r.Error, r.Skipped)
	}
}

func TestACaseCleansUpAndRunsOnce(t *testing.T) {
	runs, cleaned := 0, 0
	var dir string
	c := benchCase{name: "x", run: func(tb testing.TB, _ *scale, _ *Report) {
		runs++
		dir = tb.TempDir()
		tb.Cleanup(func() { cleaned++ })
	}}
	c.report(&tiny)
	if _, err := os.Stat(dir); runs != 1 || cleaned != 1 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%d runs, %d cleaned up; its directory: %v", runs, cleaned, err)
	}
}

func TestABarSaysWhetherItIsMet(t *testing.T) {
	var r Report
	r.atMost("allocations", 3, 3, "")
	r.atMost("time", 1.3, 1.2, "×")
	r.atLeast("rate", 0.4, 0.5, "×")
	var lines []string
	for _, b := range r.Bars {
		lines = append(lines, b.String())
	}
	want := "met     allocations: 3 ≤ 3\nMISSED  time: ×1.30 ≤ ×1.20\nMISSED  rate: ×0.40 ≥ ×0.50"
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAQuantileIsOneOfTheValues(t *testing.T) {
	all := []float64{5, 1, 4, 2, 3}
	for part, want := range map[float64]float64{0: 1, 0.25: 2, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(all, part); got != want {
			t.Errorf("quantile %v is %v, want %v", part, got, want)
		}
	}
	if got := quantile([]time.Duration(nil), 0.5); got != 0 {
		t.Errorf("of nothing it is %v", got)
	}
}
