package login

import (
	"context"
	"sync"
	"time"

	"github.com/regrant/regrant/examples/cli/internal/ui"
)

// A Wait shows that the program waits for its user, and for how long it will.
type Wait struct {
	ui *ui.UI

	mu      sync.Mutex
	stop    context.CancelFunc // nil: it shows nothing
	stopped chan struct{}      // closed once it shows nothing any more
}

// NewWait returns a Wait that shows nothing yet.
func NewWait(u *ui.UI) *Wait { return &Wait{ui: u} }

// Begin shows the time that is left until end.
func (w *Wait) Begin(end time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.stopped = stop, make(chan struct{})
	go w.count(ctx, end, w.stopped)
}

// End takes it away, before anything else is said.
func (w *Wait) End() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		w.stop()
		<-w.stopped
	}
}

func (w *Wait) count(ctx context.Context, end time.Time, stopped chan<- struct{}) {
	defer close(stopped)
	const columns = 20
	live, whole := w.ui.Err.Live(), time.Until(end)
	defer live.Clear()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		left := time.Until(end)
		live.Show(w.ui.Bar(float64(left)/float64(whole), columns) + " " + ui.Clock(left) + "  waiting for you")
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
