package filestore_test

import (
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/filestore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

func TestFilestoreKeepsTheContract(t *testing.T) {
	dir := t.TempDir() + "/grants"
	tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return filestore.New(dir) })
}
