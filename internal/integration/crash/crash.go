// Package crash is a laboratory for what happens to programs: they are killed and
// stopped in the middle of a rotation, and what they write to stops to be
// written. The processes are real, and so is every store: the tests of each hand
// over how to open it.
package crash

import (
	"os"
	"strconv"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/fleet"
)

// A Store is a kind of store that is put to the proof.
type Store struct {
	Open  fleet.Open
	Place func(testing.TB) string // another one each time
}

// killsVariable says how many kills each test is to make of a holder in the midst
// of its rotation.
const killsVariable = "REGRANT_TEST_KILLS"

func kills(t testing.TB) int {
	t.Helper()
	text := os.Getenv(killsVariable)
	if text == "" {
		return 40
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q: it is a number of kills", killsVariable, text)
	}
	return n
}

// A server is a way to treat a refresh token that comes a second time.
type server struct {
	name string
	set  func(*clienttest.Options)
}

// forgiving servers take it once more, for a while.
func forgiving() []server {
	within := func(g clienttest.InGrace) func(*clienttest.Options) {
		return func(o *clienttest.Options) { o.Grace, o.InGrace = grace, g }
	}
	return []server{
		{"a new pair each time", within(clienttest.NewPair)},
		{"the same pair again", within(clienttest.SamePair)},
		{"one slot", within(clienttest.OneSlot)},
		{"commit on use", func(o *clienttest.Options) { o.Rotation = clienttest.CommitOnUse }},
	}
}

// A strict server ends the grant.
func strict() []server { return []server{{"strict", func(*clienttest.Options) {}}} }
