package call

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// A Meter shows how far a long transfer has come, to a person who looks.
type Meter struct {
	ui   *ui.UI
	live *ui.Live

	mu    sync.Mutex
	what  string
	done  int64
	total int64 // -1: nobody knows
	began time.Time
	next  time.Time // when to show it again
}

// NewMeter returns a Meter that shows nothing for the first second.
func NewMeter(u *ui.UI) *Meter {
	return &Meter{ui: u, live: u.Err.Live(), next: time.Now().Add(time.Second)}
}

// Reader returns r, and shows what is read of it.
func (m *Meter) Reader(what string, r io.Reader, total int64) io.Reader {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.what, m.done, m.total, m.began = what, 0, total, time.Now()
	return &measured{m, r}
}

// Clear takes the meter away.
func (m *Meter) Clear() { m.live.Clear() }

type measured struct {
	meter *Meter
	r     io.Reader
}

// Read reads, and shows how far it has come.
func (r *measured) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.meter.add(n)
	return n, err
}

func (m *Meter) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += int64(n)
	now := time.Now()
	if now.Before(m.next) {
		return
	}
	m.next = now.Add(200 * time.Millisecond)
	rate := float64(m.done) / now.Sub(m.began).Seconds()
	text := fmt.Sprintf("%s %s at %s/s", m.what, size(float64(m.done)), size(rate))
	if m.total > 0 {
		left := time.Duration(float64(m.total-m.done) / rate * float64(time.Second))
		text = m.ui.Bar(float64(m.done)/float64(m.total), 20) + " " + text + " of " + size(float64(m.total)) + ", " + ui.Clock(left) + " left"
	}
	m.live.Show(text)
}

// size is a number of bytes, as people read it.
func size(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024 {
			if unit == "B" {
				return fmt.Sprintf("%.0f %s", n, unit)
			}
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TiB", n)
}
