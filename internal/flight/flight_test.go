package flight_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regrant/regrant/internal/flight"
)

func TestCallersAtTheSameTimeShareOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[string]
		var runs atomic.Int32
		wrong := errors.New("wrong")
		work := func(context.Context) (string, error) {
			runs.Add(1)
			time.Sleep(time.Second)
			return "result", wrong
		}
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				if got, err := g.Do(t.Context(), work); got != "result" || err != wrong {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		all.Wait()
		if n := runs.Load(); n != 1 {
			t.Errorf("%d runs, want 1", n)
		}
	})
}

func TestTheNextCallRunsAnew(t *testing.T) {
	var g flight.Group[int]
	n := 0
	for want := 1; want <= 3; want++ {
		got, err := g.Do(t.Context(), func(context.Context) (int, error) { n++; return n, nil })
		if got != want || err != nil {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
	}
}

func TestACallerLeavesWithItsContextAndTheWorkGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[string]
		var cancelled error
		work := func(ctx context.Context) (string, error) {
			time.Sleep(2 * time.Second)
			cancelled = ctx.Err()
			return "late", nil
		}
		begun := time.Now()
		impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()

		patient := make(chan string)
		go func() {
			time.Sleep(time.Millisecond) // joins, and is still there when the one who began has left
			got, err := g.Do(t.Context(), func(context.Context) (string, error) { return "", errors.New("a run of its own") })
			if err != nil {
				t.Error(err)
			}
			patient <- got
		}()
		got, err := g.Do(impatient, work)
		if got != "" || !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 50*time.Millisecond {
			t.Errorf("got %q, %v after %v; want a deadline after 50ms", got, err, time.Since(begun))
		}
		if got := <-patient; got != "late" || time.Since(begun) != 2*time.Second {
			t.Errorf("got %q after %v; want the result after 2s", got, time.Since(begun))
		}
		if cancelled != nil {
			t.Errorf("the context of the work ended with its caller: %v", cancelled)
		}
	})
}

func TestTheWorkSeesTheValuesOfTheCallThatBeganIt(t *testing.T) {
	type traceID struct{}
	var g flight.Group[any]
	got, err := g.Do(context.WithValue(t.Context(), traceID{}, "abc"), func(ctx context.Context) (any, error) {
		if deadline, ok := ctx.Deadline(); ok {
			t.Errorf("the work has a deadline: %v", deadline)
		}
		return ctx.Value(traceID{}), nil
	})
	if got != "abc" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWorkThatEndsItsGoroutineLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[*int]
		got, err := g.Do(t.Context(), func(context.Context) (*int, error) { runtime.Goexit(); return nil, nil })
		if got != nil || err == nil {
			t.Errorf("got %v, %v; want an error", got, err)
		}
		one := 1
		if got, err := g.Do(t.Context(), func(context.Context) (*int, error) { return &one, nil }); got != &one || err != nil {
			t.Errorf("the next call got %v, %v", got, err)
		}
	})
}

// A panic ends a program, so the program is another one: this test, started
// again.
func TestAPanicIsNotSwallowed(t *testing.T) {
	if os.Getenv("FLIGHT_TEST_PANIC") != "" {
		var g flight.Group[int]
		_, _ = g.Do(t.Context(), func(context.Context) (int, error) { panic("from the work") })
		select {}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAPanicIsNotSwallowed$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), "FLIGHT_TEST_PANIC=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: from the work") {
		t.Errorf("the program ended with %v:\n%s", err, out)
	}
}
