package client

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

func TestTheRoomOfForgottenAccountsIsGivenBack(t *testing.T) {
	sealer, err := tokenstore.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Issuer: "https://as.example", ClientID: "x", Store: memstore.New(), Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	held := c.Account("held")
	for i := range 1000 {
		c.Account(strconv.Itoa(i)) // nobody is logged in, so nothing holds it
	}
	counts := func() (known, most int) {
		c.keepers.mu.Lock()
		defer c.keepers.mu.Unlock()
		return len(c.keepers.byID), c.keepers.most
	}
	for tries := 0; ; tries++ {
		known, most := counts()
		if known == 1 && most <= 64 {
			break
		}
		if tries == 5000 {
			t.Fatalf("%d accounts are known, with room for %d", known, most)
		}
		runtime.GC() // cleanups run some time after it
		time.Sleep(time.Millisecond)
	}
	if k := c.Account("held").keeper; k != held.keeper {
		t.Error("the account that is in use was forgotten")
	}
}
