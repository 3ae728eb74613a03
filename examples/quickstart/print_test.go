package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestProcessesAreNamedTogether(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"main", "main"},
		{"p2", "p2"},
		{"p2 p1", "p1 p2"},
		{"p3 p1 p2", "p1-p3"},
		{"p4 p1 p2", "p1 p2 p4"},
		{"p10 p9 p11 p12", "p9-p12"},
		{"p1 p3 p5 p7", "4 procs"},
		{"p1 p2 p3 p4 p6 p7 p8", "7 procs"},
	} {
		if got := together(strings.Fields(c.names)); got != c.want {
			t.Errorf("%s: %q, want %q", c.names, got, c.want)
		}
	}
}

func TestTextIsWrappedBetweenWords(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"one", "one"},
		{"one two", "one two"},
		{"one  two\nthree", "one two/three"},
		{"a veryveryverylong word", "a/veryveryverylong/word"},
	} {
		if got := strings.Join(wrap(c.text, 8), "/"); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestNumbersAreWrittenAsAPersonWould(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 ms", 23 * time.Millisecond: "23 ms", 3 * time.Second: "3 s", 2149 * time.Millisecond: "2.1 s",
	} {
		if got := seconds(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// Reports of other processes arrive late, and from clocks that are read by
// different processes.
func TestTheTimelineIsInTheOrderOfTimeWhateverArrivesFirst(t *testing.T) {
	var out bytes.Buffer
	line := newTimeline(&out, t.Fail)
	at := func(ms int) time.Time { return line.start.Add(time.Duration(ms) * time.Millisecond) }
	calls := func(n int64) numbers { return numbers{Calls: n} }
	for _, r := range []report{
		{Time: at(30), Process: "p3", Kind: adopted, Generation: 2, numbers: calls(40)},
		{Time: at(20), Process: "p1", Kind: renewed, Generation: 2, numbers: calls(1000)},
		{Time: at(10), Process: "p2", Kind: adopted, Generation: 2, numbers: calls(30)},
		{Time: at(15), Process: "p2", Kind: counted, numbers: calls(35)},
		{Time: at(40), Process: "p2", Kind: stopped, numbers: calls(50)},
		{Time: at(0), Kind: chapter, Text: "A chapter"},
	} {
		line.add(r)
	}
	line.close()
	want := `
                   A chapter
 0.02 s  p1        renewed the grant                                  2    1,000
 0.01 s  p2 p3     adopted it from the store                          2       70
 0.04 s  p2        stopped calling                                            20
`
	if out.String() != want {
		t.Errorf("the timeline is%s\nand should be%s", out.String(), want)
	}
}
