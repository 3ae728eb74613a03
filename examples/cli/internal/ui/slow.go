package ui

import (
	"sync"
	"time"
)

// A Slow says what the program waits for, once that has taken a second: below it the
// line would only flicker.
type Slow struct {
	live *Live
	text string

	mu    sync.Mutex
	waits int
	off   bool
	timer *time.Timer
}

// Slow returns a Slow for something that is not waited for yet.
func (s *Screen) Slow(text string) *Slow { return &Slow{live: s.Live(), text: text} }

// Begin says that the program waits, until end is called. Waits may overlap.
func (w *Slow) Begin() (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits++; w.waits == 1 {
		w.timer = time.AfterFunc(time.Second, w.show)
	}
	return sync.OnceFunc(w.end)
}

// Off says nothing of waits until On: they go on behind what is written now.
func (w *Slow) Off() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.off = true
	w.live.Clear()
}

// On ends Off.
func (w *Slow) On() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.off = false
}

func (w *Slow) show() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits > 0 && !w.off { // it may have ended at this moment
		w.live.Show(w.text)
	}
}

func (w *Slow) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits--; w.waits == 0 {
		w.timer.Stop()
		w.live.Clear()
	}
}
