package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

// A troupe is the other processes.
type troupe struct {
	members map[string]*member
	life    context.Context // its end kills them all
	end     context.CancelFunc
}

// A member is a child as main sees it.
type member struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	orders *json.Encoder
	over   chan struct{} // closed when it has ended, and all its reports were received
	killed atomic.Bool   // by us, on purpose
}

func newTroupe() *troupe {
	life, end := context.WithCancel(context.Background())
	return &troupe{members: map[string]*member{}, life: life, end: end}
}

// start runs this program again. The setup holds secrets, so it goes through the
// child's standard input, which no other process sees.
func (t *troupe) start(s setup, receive func(report)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(t.life, self, childArg) //nolint:gosec // this very program
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	m := &member{cmd: cmd, in: in, orders: json.NewEncoder(in), over: make(chan struct{})}
	t.members[s.Process] = m
	go m.listen(s.Process, out, receive)
	return m.orders.Encode(s)
}

// listen receives the reports of a child until it ends.
func (m *member) listen(name string, out io.Reader, receive func(report)) {
	defer close(m.over)
	lines := json.NewDecoder(out)
	var last report
	ended := false
	for {
		var r report
		if lines.Decode(&r) != nil {
			break
		}
		last = r
		ended = ended || r.Kind == stopped
		receive(r)
	}
	err := m.cmd.Wait()
	if ended || m.killed.Load() {
		return
	}
	last.Time, last.Process, last.Kind = time.Now(), name, failed
	last.Failed++
	last.Text = fmt.Sprintf("the process has ended: %v", err)
	receive(last)
}

// tell gives an order to all. Who does not hear it has ended.
func (t *troupe) tell(o order) {
	for _, m := range t.members {
		_ = m.orders.Encode(o)
	}
}

// kill ends a child as kill -9 does, and waits until it is gone.
func (t *troupe) kill(name string) error {
	m := t.members[name]
	m.killed.Store(true)
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-m.over
	return nil
}

// over is closed when all have ended.
func (t *troupe) over() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		for _, m := range t.members {
			<-m.over
		}
		close(done)
	}()
	return done
}

// stop lets all finish what they do, but not for ever.
func (t *troupe) stop(within time.Duration) {
	defer t.end()
	for _, m := range t.members {
		_ = m.in.Close()
	}
	over := t.over()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
		t.end()
		<-over
	}
}
