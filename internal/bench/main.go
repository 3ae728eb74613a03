// Command bench measures regrant beside its peers, in one process and in turn,
// and prints ratios: those hold on any machine, the times do not.
//
//	go run ./internal/bench            # everything, about ten minutes
//	go run ./internal/bench -quick     # everything, smaller and less exact, about five
//	go run ./internal/bench -run token # the cases whose names match
//	go run ./internal/bench -json      # for a program; the tables go to standard error
//
// The same cases are Go benchmarks: go test -bench . ./internal/bench. What was
// found is in internal/docs/performance.md.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/integration/lab"
)

func main() {
	lab.Run(programs())
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// programs are what the processes do that cases start.
func programs() map[string]lab.Program {
	return map[string]lab.Program{fleetProgram: fleetMember, sharerProgram: sharer}
}

// A benchCase is a row of the table of bars.
type benchCase struct {
	name  string
	title string
	run   func(testing.TB, *scale, *Report)

	contenders func(testing.TB) []contender // nil: it is no race
}

func cases() []benchCase {
	return []benchCase{
		{"roundtrip", "Transport.RoundTrip over a base that does nothing, fresh token", roundTrip, transportContenders},
		{"token", "Account.Token with a fresh token", freshToken, tokenContenders},
		{"expiry", "64 goroutines across expiries, the server takes 100 ms", expiry, nil},
		{"unavailable", "503 after 100 ms, 64 callers with 200 ms each", unavailable, nil},
		{"impatient", "64 callers of whom 63 have 50 ms, the server takes 2 s", impatient, nil},
		{"shared-file", "20 processes share one grant in a file, at an expiry", sharedFile, nil},
		{"lifetimes", "tokens that live for seconds, 1000 calls a second", lifetimes, nil},
		{"start", "a program that loads its grant from a filestore and sends one request", startFile, nil},
		{"start-keyring", "the same, sealed with a key from the keychain", startKeyring, nil},
		{"accounts", "many accounts known, 10 000 in use", accounts, nil},
		{"goroutines", "one account, more and more goroutines", goroutines, nil},
		{"size", "larger and larger tokens", size, nil},
		{"rotation", "a renewal on the stores of one host: load and two saves", rotation, nil},
		{"rotation-keyring", "a renewal on a keyringstore", rotationKeyring, nil},
		{"rotation-shared", "a renewal on the stores of many machines", rotationShared, nil},
		{"fleet-postgresql", "4 processes, their accounts expire together, PostgreSQL", fleetPostgreSQL, nil},
		{"fleet-redis", "4 processes, their accounts expire together, Redis", fleetRedis, nil},
	}
}

// A scale says how much is measured.
type scale struct {
	rounds    int           // in which contenders take turns
	slice     time.Duration // of each contender in each round
	collect   bool          // garbage between rounds, and only there
	expiry    time.Duration // lifetime of the tokens that the crowd sees end
	expiries  int
	lifetimes time.Duration // of each run with tokens that live for seconds, at least
	ends      float64       // lifetimes that it takes, at least
	peers     bool          // also where they take seconds
	known     int           // accounts
	starts    int           // of a program
	sharers   int           // of one file
	fleet     int           // accounts of the fleet
}

var (
	full  = scale{rounds: 1000, slice: 2 * time.Millisecond, expiry: 4 * time.Second, expiries: 6, lifetimes: 20 * time.Second, ends: 2.5, peers: true, known: 1_000_000, starts: 100, sharers: 20, fleet: 10_000}
	quick = scale{rounds: 250, slice: time.Millisecond, expiry: 4 * time.Second, expiries: 3, lifetimes: 5 * time.Second, ends: 1.5, peers: true, known: 100_000, starts: 30, sharers: 20, fleet: 2000}
)

func run() error {
	pattern := flag.String("run", "", "only the cases whose names match the `regexp`")
	asJSON := flag.Bool("json", false, "print JSON")
	isQuick := flag.Bool("quick", false, "measure less")
	profile := flag.String("cpuprofile", "", "write a profile of the processor to `file`")
	flag.Parse()
	wanted, err := regexp.Compile(*pattern)
	if err != nil {
		return err
	}
	s := &full
	if *isQuick {
		s = &quick
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var out io.Writer = os.Stdout
	if *asJSON {
		out = os.Stderr
	}
	m := machine()
	fmt.Fprintln(out, m)
	var reports []*Report
	failed := false
	for _, c := range cases() {
		if !wanted.MatchString(c.name) {
			continue
		}
		r := c.report(s)
		failed = failed || r.Error != ""
		reports = append(reports, r)
		r.print(out)
	}
	summary(out, reports)
	if *asJSON {
		if err := json.NewEncoder(os.Stdout).Encode(Result{m, reports}); err != nil {
			return err
		}
	}
	if failed {
		return errors.New("a case has failed")
	}
	return nil
}

// report runs the case, and tells what it has found, or how it failed.
func (c benchCase) report(s *scale) *Report {
	r := &Report{Case: c.name, Title: c.title}
	began := time.Now()
	skipped, err := perform(func(tb testing.TB) { c.run(tb, s, r) })
	r.Skipped, r.Seconds = skipped, time.Since(began).Seconds()
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// summary lists the bars that are not reached.
func summary(w io.Writer, reports []*Report) {
	met, missed := 0, []string(nil)
	for _, r := range reports {
		for _, b := range r.Bars {
			if b.Met {
				met++
			} else {
				missed = append(missed, fmt.Sprintf("%s: %v", r.Case, b))
			}
		}
	}
	fmt.Fprintf(w, "\n%d bars of %d are met.\n", met, met+len(missed))
	for _, m := range missed {
		fmt.Fprintln(w, m)
	}
}
