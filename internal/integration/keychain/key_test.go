package keychain_test

import (
	"fmt"
	"strings"
	"testing"
)

// firstRuns lets twenty processes begin at once where there is no key. more counts the
// entries of the keychain that are new.
func firstRuns(t *testing.T, p place, more func() int) {
	t.Helper()
	var all []user
	for range 20 {
		all = append(all, start(t, p))
	}
	for i, u := range all {
		u.p.Send(order{Do: "save", Account: fmt.Sprint(i), Data: "data"})
	}
	for _, u := range all {
		var r report
		if u.p.Receive(&r); r.Error != "" {
			t.Errorf("process %d: %s", u.p.PID(), r.Error)
		}
	}
	if n := more(); n != 1 {
		t.Errorf("the keychain has %d more entries", n)
	}
	last := start(t, p)
	for i := range all {
		if r := last.do(order{Do: "load", Account: fmt.Sprint(i)}); r.Data != "data" {
			t.Errorf("%q, %s", r.Data, r.Error)
		}
	}
}

// deleted keeps something, and removes its key from the keychain by remove.
func deleted(t *testing.T, p place, remove func()) {
	t.Helper()
	first := start(t, p)
	if r := first.do(order{Do: "save", Data: "data", Account: "alice"}); r.Error != "" {
		t.Fatal(r.Error)
	}
	remove()
	second := start(t, p)
	for _, o := range []order{{Do: "check"}, {Do: "load", Account: "alice"}, {Do: "load", Account: "bob"}, {Do: "save", Account: "bob", Data: "data"}} {
		if r := second.do(o); !r.Lost || r.NotFound || r.Unavailable || !strings.Contains(r.Error, p.Dir) {
			t.Errorf("%s: %q", o.Do, r.Error)
		}
	}
	if r := first.do(order{Do: "load", Account: "alice"}); r.Data != "data" {
		t.Errorf("a process that has the key: %q", r.Error)
	}
}
