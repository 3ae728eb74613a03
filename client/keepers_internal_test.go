package client

import (
	"context"
	"runtime"
	"strconv"
	"testing"
	"time"
	"weak"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

func newTestClient(t *testing.T, onEvent func(context.Context, Event)) *Client {
	t.Helper()
	sealer, err := tokenstore.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Issuer: "https://as.example", ClientID: "x", Store: memstore.New(), Sealer: sealer, OnEvent: onEvent})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A program that makes a Client per request, say, and never closes it.
func TestAClientThatNobodyUsesIsForgottenAlthoughItsConfigRefersToItsAccount(t *testing.T) {
	abandon := func() weak.Pointer[Client] {
		var me *Account
		c := newTestClient(t, func(context.Context, Event) { _ = me.Name() })
		me = c.Account("default")
		return weak.Make(c)
	}
	c := abandon()
	for tries := 0; c.Value() != nil; tries++ {
		if tries == 5000 {
			t.Fatal("it is still there")
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

func TestTheRoomOfForgottenAccountsIsGivenBack(t *testing.T) {
	c := newTestClient(t, nil)
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
