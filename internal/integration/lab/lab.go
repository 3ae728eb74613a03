// Package lab starts what the tests of this module need and a Go test does not
// have by itself: processes of their own, real authorization servers, a small
// disk. Each helper ends with the test what it has started.
package lab

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// Require decides what becomes of a test whose service is missing; missing says
// what, and what to install. A nil error means that all is there. If
// REGRANT_TEST_REQUIRE is "all", or lists the service by this name, the test
// fails, so that CI never passes by skipping; else it is skipped.
func Require(t testing.TB, service string, missing error) {
	t.Helper()
	if missing == nil {
		return
	}
	if required(os.Getenv("REGRANT_TEST_REQUIRE"), service) {
		t.Fatalf("%s is missing, and REGRANT_TEST_REQUIRE wants it: %v", service, missing)
	}
	t.Skipf("%s is missing: %v", service, missing)
}

func required(list, service string) bool {
	names := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	return slices.Contains(names, "all") || slices.Contains(names, service)
}

// Root returns the root of the repository.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd() // of a test: the directory of its package
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		} else if parent := filepath.Dir(dir); !errors.Is(err, os.ErrNotExist) || parent == dir {
			t.Fatal("no go.work above the working directory: run the tests inside the repository")
		} else {
			dir = parent
		}
	}
}
