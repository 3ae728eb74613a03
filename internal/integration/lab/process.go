package lab

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"
)

// A Program is what a process of a test does: a function of the test binary,
// which starts itself again. An error ends the process with status 1.
type Program func(*Child) error

// programVariable names the program in the environment of a child. All else
// comes through its standard input: the environment and the arguments of a
// process are no place for a key.
const programVariable = "REGRANT_LAB_PROGRAM"

// Main is all of a TestMain: it runs the tests, or, in a process that [Start] has
// started, the program.
//
// The tests here wait for processes, servers and clocks rather than for a
// processor, so more of them run at once than there are processors, unless
// -parallel says how many.
func Main(m *testing.M, programs map[string]Program) {
	Run(programs)
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("32")
	}
	os.Exit(m.Run())
}

// Run is for a main that is no test: in a process that [Start] has started it runs
// the program and ends the process; otherwise it does nothing.
func Run(programs map[string]Program) {
	if name := os.Getenv(programVariable); name != "" {
		os.Exit(runChild(name, programs[name]))
	}
}

func runChild(name string, run Program) int {
	err := errors.New("there is no such program")
	if run != nil {
		err = run(&Child{in: json.NewDecoder(os.Stdin), out: json.NewEncoder(os.Stdout)})
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "process %d, %s: %v\n", os.Getpid(), name, err)
		return 1
	}
	return 0
}

// A Child is a process, seen from inside.
type Child struct {
	in *json.Decoder

	mu  sync.Mutex
	out *json.Encoder
}

// Receive waits for what the test sends next. It returns io.EOF when the test
// wants the process to end, or has ended itself.
func (c *Child) Receive(v any) error { return c.in.Decode(v) }

// Report tells the test something.
func (c *Child) Report(v any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Encode(v)
}

// A Process is a process, seen from the test that has started it. Its methods
// are for one goroutine of the test.
type Process struct {
	t       testing.TB
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	reports chan json.RawMessage
	over    chan struct{} // closed when the process has ended
	err     error         // how; readable once over is closed
	killed  bool
}

// Start starts a program in a process of its own, and sends it config. What it
// writes to its standard error is shown with the test. It is killed when the
// test ends, and a process that ended badly by itself fails the test.
func Start(t testing.TB, program string, config any) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{t: t, cmd: exec.Command(self), reports: make(chan json.RawMessage, 16), over: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), programVariable+"="+program,
		"GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE")) // the race detector makes a process linger for a second
	p.cmd.Stderr = t.Output()
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill() })
	go p.read(stdout)
	p.Send(config)
	return p
}

// read hands over the reports until the process ends, and reaps it.
func (p *Process) read(stdout io.Reader) {
	defer close(p.over)
	defer close(p.reports)
	for in := json.NewDecoder(stdout); ; {
		var report json.RawMessage
		if in.Decode(&report) != nil {
			break
		}
		p.reports <- report
	}
	p.err = p.cmd.Wait()
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Send sends v to the process, which may be dead already.
func (p *Process) Send(v any) {
	p.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = p.stdin.Write(append(data, '\n'))
}

// patience bounds the wait for a report. A process that takes over from one that
// hangs does so after a lease of 15 s.
const patience = 90 * time.Second

// Receive waits for the next report of the process, and fails the test if there
// is none.
func (p *Process) Receive(v any) {
	p.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case report, ok := <-p.reports:
		if !ok {
			p.t.Fatalf("process %d has ended without a report", p.PID())
		}
		if err := json.Unmarshal(report, v); err != nil {
			p.t.Fatalf("process %d reports %s: %v", p.PID(), report, err)
		}
	case <-limit.C:
		p.t.Fatalf("process %d has not reported within %v", p.PID(), patience)
	}
}

// Kill kills the process as kill -9 does, if it has not ended yet, and returns
// when it is dead. unread tells how many reports it had sent that nobody has
// received.
func (p *Process) Kill() (unread int) {
	p.t.Helper()
	select {
	case <-p.over:
	default:
		p.killed = true
		_ = p.cmd.Process.Kill()
	}
	return p.wait()
}

// Close lets the process end in its own time.
func (p *Process) Close() {
	p.t.Helper()
	_ = p.stdin.Close()
	p.wait()
}

func (p *Process) wait() (unread int) {
	p.t.Helper()
	for range p.reports {
		unread++
	}
	<-p.over
	if p.err != nil && !p.killed {
		p.killed = true // told once
		p.t.Errorf("process %d: %v", p.PID(), p.err)
	}
	return unread
}
