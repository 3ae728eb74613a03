package tokenstoretest_test

import (
	"path/filepath"
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

// The body of a test of a store. Each call of open returns a new handle on the
// same place.
func ExampleTestStore() { //nolint:testableexamples // it needs a test to run in
	_ = func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "grants")
		tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return filestore.New(dir) })
	}
}
