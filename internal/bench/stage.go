package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
)

// A stage is the testing.TB of a case that is run by the program instead of by
// go test, since what starts servers and databases for tests wants one. It is a
// benchmark's, which ends and cleans up as it should, but whose words are lost.
type stage struct {
	testing.TB

	mu       sync.Mutex
	failures []string
	skipped  string
}

// perform runs a case on a stage, and tells how it failed. skipped says what was
// missing.
func perform(play func(testing.TB)) (skipped string, err error) {
	var s stage
	testing.Benchmark(func(b *testing.B) {
		if s.TB == nil { // a benchmark is called again for the sake of its time
			s.TB = b
			play(&s)
		}
	})
	if len(s.failures) > 0 {
		err = errors.New(strings.Join(s.failures, "; "))
	}
	return s.skipped, err
}

func (s *stage) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, strings.TrimSpace(text))
}

func (s *stage) Error(args ...any) {
	s.note(fmt.Sprintln(args...))
	s.Fail()
}

func (s *stage) Errorf(format string, args ...any) {
	s.note(fmt.Sprintf(format, args...))
	s.Fail()
}

func (s *stage) Fatal(args ...any) {
	s.note(fmt.Sprintln(args...))
	s.FailNow()
}

func (s *stage) Fatalf(format string, args ...any) {
	s.note(fmt.Sprintf(format, args...))
	s.FailNow()
}

// Log and Logf would ask where in a test they are.
func (s *stage) Log(...any) {}

func (s *stage) Logf(string, ...any) {}

func (s *stage) Skipf(format string, args ...any) {
	s.skipped = fmt.Sprintf(format, args...)
	s.SkipNow()
}

func (s *stage) Output() io.Writer { return os.Stderr }
