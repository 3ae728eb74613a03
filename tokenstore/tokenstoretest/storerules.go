package tokenstoretest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regrant/regrant/tokenstore"
)

var storeRules = []rule{
	{"round trip", "What is loaded equals what was saved byte for byte, up to 1 MiB.", roundTrip},
	{"not found", "Load returns ErrNotFound if nothing is kept under the key.", notFound},
	{"versions", "Save returns the version that the next Load returns.", versions},
	{"replace", "Save replaces what lies under the key if its version is still old.", replace},
	{"stale save", "Save returns ErrConflict if the version of what lies under the key is no longer old.", staleSave},
	{"stale save changes nothing", "A Save that returns ErrConflict changes nothing.", staleSaveChangesNothing},
	{"create over existing", "A creating Save returns ErrConflict if something is there by now.", createOverExisting},
	{"save over deleted", "Save returns ErrConflict, and creates nothing, if what it is based on was deleted.", saveOverDeleted},
	{"delete", "Delete removes what lies under the key if its version is still old.", deletes},
	{"stale delete", "Delete returns ErrConflict, and changes nothing, if the version of what lies under the key is no longer old.", staleDelete},
	{"delete absent", "Deleting what is not there is no error.", deleteAbsent},
	{"versions never repeat", "A Version names one content of one key for ever: it does not come back after a Delete, nor when the same bytes are saved again.", versionsNeverRepeat},
	{"keys never meet", "Keys are compared byte by byte: keys that differ in anything name different records, whatever they contain.", keysNeverMeet},
	{"input is copied", "A store keeps no reference to data after Save returns.", inputIsCopied},
	{"output is copied", "What Load returns belongs to the caller.", outputIsCopied},
	{"processes", "Load sees the last Save and the last Delete that were acknowledged, through any handle.", processes},
	{"ended context", "When ctx ends, methods return promptly with an error for which errors.Is(err, ctx.Err()) holds.", endedContext},
	{"creators", "Of several creating Saves at the same time exactly one succeeds; the others return ErrConflict.", creators},
	{"swappers", "Of several Saves at the same time that are based on one version exactly one succeeds; no update is lost.", swappers},
	{"save against delete", "Of a Save and a Delete at the same time that are based on one version exactly one succeeds.", saveAgainstDelete},
	{"independent keys", "Saves under different keys do not conflict.", independentKeys},
}

func roundTrip(p *place) error {
	for _, data := range []string{
		"",
		"text",
		"\x00",
		"ends with NUL\x00",
		"two\nlines\r\n",
		"not UTF-8: \xff\xfe\xc0\x80",
		`{"quotes":"'\"` + "`" + `\\"}`,
		allBytes(),
		strings.Repeat(allBytes(), 1<<20/256),
	} {
		key := newKey()
		if _, err := p.create(key, data); err != nil {
			return fmt.Errorf("%s: %w", brief(data), err)
		}
		if err := p.holds(0, key, data); err != nil {
			return err
		}
	}
	return nil
}

func allBytes() string {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	return string(all[:])
}

func notFound(p *place) error { return p.empty(0, newKey()) }

func versions(p *place) error {
	key := newKey()
	old := p.absent(key)
	for _, data := range []string{"first", "second"} {
		saved, err := p.save(key, data, old)
		if err != nil {
			return err
		}
		_, loaded, err := p.handle(0).Load(p.ctx, key)
		if err != nil || loaded != saved {
			return fmt.Errorf("Save returned version %q, and Load returned version %q, error %s", saved, loaded, quote(err))
		}
		old = saved
	}
	return nil
}

func replace(p *place) error {
	key := newKey()
	v, err := p.create(key, "a long first content")
	if err != nil {
		return err
	}
	if _, err := p.save(key, "second", v); err != nil {
		return err
	}
	return p.holds(0, key, "second")
}

// changed returns a key that was saved twice, and the version of the first time.
func (p *place) changed() (key tokenstore.Key, stale tokenstore.Version, err error) {
	key = newKey()
	stale, err = p.create(key, "first")
	if err == nil {
		_, err = p.save(key, "second", stale)
	}
	return key, stale, err
}

func staleSave(p *place) error {
	key, stale, err := p.changed()
	if err != nil {
		return err
	}
	_, err = p.handle(0).Save(p.ctx, key, []byte("third"), stale)
	return conflict("Save with a stale version", err)
}

func staleSaveChangesNothing(p *place) error {
	key, stale, err := p.changed()
	if err != nil {
		return err
	}
	_, before, err := p.handle(0).Load(p.ctx, key)
	if err != nil {
		return err
	}
	if _, err := p.handle(0).Save(p.ctx, key, []byte("third"), stale); !errors.Is(err, tokenstore.ErrConflict) {
		return nil // against another rule
	}
	_, after, err := p.handle(0).Load(p.ctx, key)
	if err != nil || before != after {
		return fmt.Errorf("Load returned version %q before, and version %q, error %s, after it", before, after, quote(err))
	}
	return p.holds(0, key, "second")
}

func createOverExisting(p *place) error {
	key := newKey()
	absent := p.absent(key)
	if _, err := p.save(key, "first", absent); err != nil {
		return err
	}
	_, err := p.handle(0).Save(p.ctx, key, []byte("second"), absent)
	if err := conflict("a second creating Save", err); err != nil {
		return err
	}
	return p.holds(0, key, "first")
}

func saveOverDeleted(p *place) error {
	key := newKey()
	v, err := p.create(key, "first")
	if err != nil {
		return err
	}
	if err := p.remove(key, v); err != nil {
		return err
	}
	_, err = p.handle(0).Save(p.ctx, key, []byte("second"), v)
	if err := conflict("Save with the version of a deleted record", err); err != nil {
		return err
	}
	return p.empty(0, key)
}

func deletes(p *place) error {
	key := newKey()
	v, err := p.create(key, "first")
	if err != nil {
		return err
	}
	if err := p.remove(key, v); err != nil {
		return err
	}
	return p.empty(0, key)
}

func staleDelete(p *place) error {
	key, stale, err := p.changed()
	if err != nil {
		return err
	}
	if err := conflict("Delete with a stale version", p.handle(0).Delete(p.ctx, key, stale)); err != nil {
		return err
	}
	return p.holds(0, key, "second")
}

func deleteAbsent(p *place) error {
	key := newKey()
	if err := p.handle(0).Delete(p.ctx, key, p.absent(key)); err != nil {
		return fmt.Errorf("Delete of a key that was never saved: %w", err)
	}
	v, err := p.create(key, "first")
	if err != nil {
		return err
	}
	for range 2 {
		if err := p.handle(0).Delete(p.ctx, key, v); err != nil {
			return fmt.Errorf("deleting twice: %w", err)
		}
	}
	return nil
}

func versionsNeverRepeat(p *place) error {
	key := newKey()
	var seen []tokenstore.Version
	for range 5 {
		old := p.absent(key)
		for range 3 {
			v, err := p.save(key, "the same bytes", old)
			if err != nil {
				return err
			}
			if i := slices.Index(seen, v); i >= 0 {
				return fmt.Errorf("the %d. Save returned version %q, like the %d., with a Delete after every third", len(seen)+1, v, i+1)
			}
			seen, old = append(seen, v), v
		}
		if err := p.remove(key, old); err != nil {
			return err
		}
	}
	return nil
}

// unlike returns keys that somebody may take for the same.
func unlike() []tokenstore.Key {
	base := newKey()
	long := strings.Repeat("long", 1<<10-1)
	keys := []tokenstore.Key{base}
	for _, account := range []string{
		"Somebody", "SOMEBODY", "somebody ", " somebody", "somebody.", "somebody/", "somebody%", "somebod_",
		"é", "e\u0301", "\u00df", "ss", "\U0001f511", "\u202eydobemos", "\ufeffsomebody",
		".", "..", "../somebody", "a/b", `a\b`, "a:b", "a,b", "a\u2215b", "CON", "nul.txt", "~", "*", "?", "%00", "%2e%2e",
		"'; DROP TABLE grants; --", `"`, "`", "$HOME", "#", "null", "0", "00",
		long + "a", long + "b",
	} {
		keys = append(keys, tokenstore.Key{Issuer: base.Issuer, ClientID: base.ClientID, Account: account})
	}
	return append(keys, []tokenstore.Key{ // they concatenate alike, with the usual separators, too
		{Issuer: base.Issuer, ClientID: "ab", Account: "c"},
		{Issuer: base.Issuer, ClientID: "a", Account: "bc"},
		{Issuer: base.Issuer + "a", ClientID: "b", Account: "c"},
		{Issuer: base.Issuer, ClientID: "a:b", Account: "c"},
		{Issuer: base.Issuer, ClientID: "a", Account: "b:c"},
		{Issuer: base.Issuer, ClientID: "a/b", Account: "c"},
		{Issuer: base.Issuer, ClientID: "a", Account: "b/c"},
		{Issuer: base.Issuer, ClientID: "a|b", Account: "c"},
		{Issuer: base.Issuer, ClientID: "a", Account: "b|c"},
		{Issuer: base.Issuer + "/", ClientID: base.ClientID, Account: base.Account},
		{Issuer: strings.ToUpper(base.Issuer), ClientID: base.ClientID, Account: base.Account},
		{Issuer: base.Issuer, ClientID: base.Account, Account: base.ClientID},
	}...)
}

func keysNeverMeet(p *place) error {
	keys := unlike()
	last := make([]tokenstore.Version, len(keys))
	for i, key := range keys {
		v, err := p.create(key, key.String())
		if err != nil {
			return fmt.Errorf("creating %s: %w", brief(key.String()), err)
		}
		last[i] = v
	}
	for i, key := range keys {
		if err := p.holds(0, key, key.String()); err != nil {
			return err
		}
		if err := p.remove(key, last[i]); err != nil {
			return fmt.Errorf("%s: %w", brief(key.String()), err)
		}
	}
	return nil
}

func inputIsCopied(p *place) error {
	key, data := newKey(), []byte("saved")
	if _, err := p.handle(0).Save(p.ctx, key, data, p.absent(key)); err != nil {
		return err
	}
	copy(data, "XXXXX")
	return p.holds(0, key, "saved")
}

func outputIsCopied(p *place) error {
	key := newKey()
	if _, err := p.create(key, "saved"); err != nil {
		return err
	}
	data, _, err := p.handle(0).Load(p.ctx, key)
	if err != nil {
		return err
	}
	copy(data, "XXXXX")
	return p.holds(0, key, "saved")
}

func processes(p *place) error {
	key := newKey()
	v, err := p.handle(0).Save(p.ctx, key, []byte("first"), p.absent(key))
	if err != nil {
		return err
	}
	if err := p.holds(1, key, "first"); err != nil {
		return fmt.Errorf("through a second handle: %w", err)
	}
	v, err = p.handle(1).Save(p.ctx, key, []byte("second"), v)
	if err != nil {
		return fmt.Errorf("Save through a second handle, with the version that the first got: %w", err)
	}
	for i := range p.handles {
		if err := p.holds(i, key, "second"); err != nil {
			return fmt.Errorf("after a second handle saved: %w", err)
		}
	}
	if err := p.handle(1).Delete(p.ctx, key, v); err != nil {
		return err
	}
	for i := range p.handles {
		if err := p.empty(i, key); err != nil {
			return fmt.Errorf("after a second handle deleted: %w", err)
		}
	}
	return nil
}

func endedContext(p *place) error {
	key := newKey()
	v, err := p.create(key, "first")
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(p.ctx)
	cancel()
	expired, cancel := context.WithDeadline(p.ctx, time.Now().Add(-time.Hour))
	defer cancel()
	for _, ctx := range []context.Context{cancelled, expired} {
		for name, call := range map[string]func() error{
			"Load":   func() error { _, _, err := p.handle(0).Load(ctx, key); return err },
			"Save":   func() error { _, err := p.handle(0).Save(ctx, key, []byte("second"), v); return err },
			"Delete": func() error { return p.handle(0).Delete(ctx, key, v) },
		} {
			if err := within(promptness, call); !errors.Is(err, ctx.Err()) {
				return fmt.Errorf("%s returned the error %s instead of %s", name, quote(err), quote(ctx.Err()))
			}
		}
	}
	return nil
}
