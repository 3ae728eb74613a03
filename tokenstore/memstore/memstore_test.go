package memstore_test

import (
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
	"github.com/regrant/regrant/tokenstore/tokenstoretest"
)

func TestMemstoreKeepsTheContract(t *testing.T) {
	s := memstore.New()
	tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return s })
}

func TestTheZeroStoreKeepsTheContract(t *testing.T) {
	var s memstore.Store
	tokenstoretest.TestStore(t, func(*testing.T) tokenstore.Store { return &s })
}
