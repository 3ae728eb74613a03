package main

import (
	"io"
	"slices"
	"sync"
	"time"
)

// A timeline prints what happens, in the order of time. Reports of other
// processes arrive late, so each is kept for a moment; those that tell the same
// of several processes become one line.
type timeline struct {
	painter
	start time.Time
	done  chan struct{}
	over  chan struct{}
	once  sync.Once

	mu      sync.Mutex
	out     io.Writer
	gone    func() // called when nobody reads out any more
	pending []report
	calls   map[string]int64 // of each process, as printed so far
}

// late is how long a report may take.
const late = 400 * time.Millisecond

// newTimeline prints to out, and calls gone if that does not work.
func newTimeline(out io.Writer, gone func()) *timeline {
	t := &timeline{
		out: out, gone: gone, painter: newPainter(out), start: time.Now(), calls: map[string]int64{},
		done: make(chan struct{}), over: make(chan struct{}),
	}
	go func() {
		defer close(t.over)
		ticker := time.NewTicker(late / 8)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				t.flush(time.Now().Add(-late))
			case <-t.done:
				t.flush(time.Now().Add(late))
				return
			}
		}
	}()
	return t
}

// close prints what is left.
func (t *timeline) close() {
	t.once.Do(func() { close(t.done) })
	<-t.over
}

// say prints a text at once.
func (t *timeline) say(text string) {
	t.flush(time.Now())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line(text)
}

func (t *timeline) add(r report) {
	if _, shown := looks[r.Kind]; !shown {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = append(t.pending, r)
}

// flush prints all that happened before a time.
func (t *timeline) flush(before time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.pending, func(a, b report) int { return a.Time.Compare(b.Time) })
	for len(t.pending) > 0 && t.pending[0].Time.Before(before) {
		t.print(t.take())
	}
}

// take returns the next report, with those that tell the same.
func (t *timeline) take() []report {
	first := t.pending[0]
	if first.Kind == adopted {
		// Nobody adopts what nobody has renewed; the other clock was slower.
		i := slices.IndexFunc(t.pending, func(r report) bool {
			return (r.Kind == renewed || r.Kind == recovered) && r.Generation == first.Generation
		})
		if i > 0 {
			first = t.pending[i]
		}
	}
	var group []report
	t.pending = slices.DeleteFunc(t.pending, func(r report) bool {
		same := r == first || looks[r.Kind].several && r.Kind == first.Kind && r.Generation == first.Generation && r.Text == first.Text
		if same {
			group = append(group, r)
		}
		return same
	})
	return group
}
