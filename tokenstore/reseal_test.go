package tokenstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/regrant/regrant/tokenstore"
	"github.com/regrant/regrant/tokenstore/memstore"
)

var oldKey, newKey = bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)

func sealerOf(t testing.TB, keys ...[]byte) tokenstore.Sealer {
	t.Helper()
	s, err := tokenstore.NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func accountKey(n int) tokenstore.Key {
	return tokenstore.Key{Issuer: "https://issuer.example", ClientID: "cli", Account: strconv.Itoa(n)}
}

// sealed returns a store with so many records, sealed by s.
func sealed(t testing.TB, s tokenstore.Sealer, records int) *memstore.Store {
	t.Helper()
	store := memstore.New()
	for n := range records {
		put(t, store, s, accountKey(n), "grant "+strconv.Itoa(n))
	}
	return store
}

// put saves over whatever is there.
func put(t testing.TB, store tokenstore.Store, s tokenstore.Sealer, key tokenstore.Key, text string) {
	t.Helper()
	data, err := s.Encrypt([]byte(text), key.AssociatedData())
	if err != nil {
		t.Fatal(err)
	}
	_, v, _ := store.Load(t.Context(), key)
	if _, err := store.Save(t.Context(), key, data, v); err != nil {
		t.Fatal(err)
	}
}

// opens checks that s opens every record, and that each is that of its key.
func opens(t testing.TB, store *memstore.Store, s tokenstore.Sealer, records int) {
	t.Helper()
	n := 0
	for key := range store.List(t.Context(), tokenstore.Key{}) {
		data, _, err := store.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := s.Decrypt(data, key.AssociatedData())
		if err != nil || string(text) != "grant "+key.Account {
			t.Errorf("%s: %q, %v", key.Account, text, err)
		}
		n++
	}
	if n != records {
		t.Errorf("%d records instead of %d", n, records)
	}
}

// resealed walks once, without an error, and returns how many were sealed anew.
func resealed(t testing.TB, store tokenstore.Store, s tokenstore.Sealer) (n int) {
	t.Helper()
	for key, err := range tokenstore.Reseal(t.Context(), store, s) {
		if err != nil {
			t.Fatal(key.Account, err)
		}
		n++
	}
	return n
}

// hooked is a store with something that happens before a Save.
type hooked struct {
	*memstore.Store

	saves      int
	beforeSave func(tokenstore.Key) error
}

func (h *hooked) Save(ctx context.Context, key tokenstore.Key, data []byte, old tokenstore.Version) (tokenstore.Version, error) {
	h.saves++
	if h.beforeSave != nil {
		if err := h.beforeSave(key); err != nil {
			return "", err
		}
	}
	return h.Store.Save(ctx, key, data, old)
}

func TestResealIsResumedWhereItWasCutShort(t *testing.T) {
	const records = 10_000
	store := &hooked{Store: sealed(t, sealerOf(t, oldKey), records)}
	both := sealerOf(t, newKey, oldKey)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := 0
	for key, err := range tokenstore.Reseal(ctx, store, both) {
		switch {
		case errors.Is(err, context.Canceled):
		case err != nil || done == 4000:
			t.Fatalf("after %d records and the end of the context: %v, %v", done, key, err)
		default:
			if done++; done == 4000 {
				cancel()
			}
		}
	}
	for range tokenstore.Reseal(t.Context(), store, both) {
		if done++; done == 7000 {
			break
		}
	}
	done += resealed(t, store, both)
	if done != records || store.saves != records {
		t.Errorf("%d records were sealed anew with %d saves instead of %d", done, store.saves, records)
	}
	if n := resealed(t, store, both); n != 0 || store.saves != records {
		t.Errorf("once all is done, %d are sealed anew, with %d saves", n, store.saves-records)
	}
	opens(t, store.Store, sealerOf(t, newKey), records)
}

func TestResealLeavesWhatDoesNotOpenAndGoesOn(t *testing.T) {
	store := sealed(t, sealerOf(t, oldKey), 5)
	put(t, store, sealerOf(t, bytes.Repeat([]byte{3}, 32)), accountKey(1), "of a key that is lost")
	moved, _, _ := store.Load(t.Context(), accountKey(0))
	_, v, _ := store.Load(t.Context(), accountKey(2))
	if _, err := store.Save(t.Context(), accountKey(2), moved, v); err != nil {
		t.Fatal(err)
	}
	before := map[string]tokenstore.Version{}
	for _, n := range []int{1, 2} {
		_, before[strconv.Itoa(n)], _ = store.Load(t.Context(), accountKey(n))
	}
	done := 0
	for key, err := range tokenstore.Reseal(t.Context(), store, sealerOf(t, newKey, oldKey)) {
		if err == nil {
			done++
			continue
		}
		_, v, _ := store.Load(t.Context(), key)
		if before[key.Account] != v || !errors.Is(err, tokenstore.ErrUnreadable) {
			t.Errorf("%s: %v; its version was %q and is %q", key.Account, err, before[key.Account], v)
		}
		delete(before, key.Account)
	}
	if done != 3 || len(before) > 0 {
		t.Errorf("%d were sealed anew, and not told of: %v", done, before)
	}
}

func TestResealLeavesWhatSomebodySavesMeanwhile(t *testing.T) {
	both := sealerOf(t, newKey, oldKey)
	for name, c := range map[string]struct {
		meanwhile func(store tokenstore.Store)
		yields    int
		kept      string
	}{
		"with the new key": {func(s tokenstore.Store) { put(t, s, both, accountKey(0), "renewed") }, 0, "renewed"},
		"with the old key": {func(s tokenstore.Store) { put(t, s, sealerOf(t, oldKey), accountKey(0), "renewed") }, 1, "renewed"},
		"by a logout": {func(s tokenstore.Store) {
			_, v, _ := s.Load(t.Context(), accountKey(0))
			_ = s.Delete(t.Context(), accountKey(0), v)
		}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			store := &hooked{Store: sealed(t, sealerOf(t, oldKey), 1)}
			store.beforeSave = func(tokenstore.Key) error {
				store.beforeSave = nil
				c.meanwhile(store.Store)
				return nil
			}
			if n := resealed(t, store, both); n != c.yields {
				t.Errorf("%d records were sealed anew", n)
			}
			data, _, err := store.Load(t.Context(), accountKey(0))
			if c.kept == "" {
				if !errors.Is(err, tokenstore.ErrNotFound) {
					t.Errorf("Load: %v", err)
				}
				return
			}
			if text, err := sealerOf(t, newKey).Decrypt(data, accountKey(0).AssociatedData()); string(text) != c.kept {
				t.Errorf("what is kept is %q, %v", text, err)
			}
		})
	}
}

// TestNoSaveOfAClientIsLostToReseal has clients that count in their records.
func TestNoSaveOfAClientIsLostToReseal(t *testing.T) {
	const records, clients, times = 20, 4, 200
	store := memstore.New()
	for n := range records {
		put(t, store, sealerOf(t, oldKey), accountKey(n), "0")
	}
	var working sync.WaitGroup
	for c := range clients {
		s := sealerOf(t, newKey, oldKey)
		if c%2 == 0 {
			s = sealerOf(t, oldKey, newKey) // one that was not told of the new key first
		}
		working.Go(func() {
			for n := range times {
				if err := count(t.Context(), store, s, accountKey((n+c)%records)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { working.Wait(); close(over) }()
	both := sealerOf(t, newKey, oldKey)
	for running := true; running; {
		select {
		case <-over:
			running = false
		default:
		}
		resealed(t, store, both)
	}
	if n := resealed(t, store, both); n > 0 {
		t.Errorf("after a whole walk without clients %d were not of the new key", n)
	}
	total := 0
	for n := range records {
		data, _, err := store.Load(t.Context(), accountKey(n))
		if err != nil {
			t.Fatal(err)
		}
		text, err := sealerOf(t, newKey).Decrypt(data, accountKey(n).AssociatedData())
		if err != nil {
			t.Fatal(err)
		}
		i, _ := strconv.Atoi(string(text))
		total += i
	}
	if total != clients*times {
		t.Errorf("of %d saves %d are left", clients*times, total)
	}
}

func count(ctx context.Context, store tokenstore.Store, s tokenstore.Sealer, key tokenstore.Key) error {
	for {
		data, v, err := store.Load(ctx, key)
		if err != nil {
			return err
		}
		text, err := s.Decrypt(data, key.AssociatedData())
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(text))
		if data, err = s.Encrypt([]byte(strconv.Itoa(n+1)), key.AssociatedData()); err != nil {
			return err
		}
		if _, err = store.Save(ctx, key, data, v); !errors.Is(err, tokenstore.ErrConflict) {
			return err
		}
	}
}

func TestResealOfAStoreThatFailsTellsOfEachRecord(t *testing.T) {
	store := &hooked{Store: sealed(t, sealerOf(t, oldKey), 3)}
	errDisk := errors.New("the disk is full")
	for name, c := range map[string]struct{ fails, want error }{
		"a full disk":       {errDisk, errDisk},
		"endless conflicts": {tokenstore.ErrConflict, tokenstore.ErrConflict},
	} {
		store.beforeSave = func(tokenstore.Key) error { return c.fails }
		failed := 0
		for key, err := range tokenstore.Reseal(t.Context(), store, sealerOf(t, newKey, oldKey)) {
			if !errors.Is(err, c.want) || key == (tokenstore.Key{}) || errors.Is(err, tokenstore.ErrUnreadable) {
				t.Errorf("%s: %v, %v", name, key, err)
			}
			failed++
		}
		if failed != 3 {
			t.Errorf("%s: %d records were told of", name, failed)
		}
	}
}

func TestWhatCannotBeWalkedCannotBeResealed(t *testing.T) {
	type unlisted struct{ tokenstore.Store }
	for name, c := range map[string]struct {
		store  tokenstore.Store
		sealer tokenstore.Sealer
		is     error
		says   string
	}{
		"no Lister": {unlisted{memstore.New()}, sealerOf(t, newKey), errors.ErrUnsupported, "it is no Lister"},
		"no store":  {nil, sealerOf(t, newKey), errors.ErrUnsupported, "it is no Lister"},
		"no Sealer": {memstore.New(), nil, nil, "the Sealer is nil"},
	} {
		yielded := 0
		for key, err := range tokenstore.Reseal(t.Context(), c.store, c.sealer) {
			if key != (tokenstore.Key{}) || err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, %v", name, key, err)
			}
			yielded++
		}
		if yielded != 1 {
			t.Errorf("%s: %d errors", name, yielded)
		}
	}
}

// foreign is a Sealer that tells nothing of its keys.
type foreign struct{ tokenstore.Sealer }

func TestARotationIsOfAnySealers(t *testing.T) {
	passphrase, err := tokenstore.NewPassphraseSealer("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	another, err := tokenstore.NewPassphraseSealer("battery staple")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what        string
		before, now tokenstore.Sealer
	}{
		{"another passphrase", passphrase, another},
		{"a passphrase instead of a key", sealerOf(t, oldKey), passphrase},
		{"a key instead of a passphrase", passphrase, sealerOf(t, newKey)},
		{"a new key among several", sealerOf(t, oldKey), sealerOf(t, newKey, oldKey)},
		{"a Sealer from elsewhere", sealerOf(t, oldKey), foreign{sealerOf(t, newKey)}},
	} {
		t.Run(c.what, func(t *testing.T) {
			store := sealed(t, c.before, 10)
			both, err := tokenstore.NewRotation(c.now, c.before)
			if err != nil {
				t.Fatal(err)
			}
			opens(t, store, both, 10)
			if n := resealed(t, store, both); n != 10 {
				t.Errorf("%d were sealed anew", n)
			}
			if n := resealed(t, store, both); n != 0 {
				t.Errorf("the second time %d were sealed anew", n)
			}
			opens(t, store, c.now, 10)
		})
	}
}

func TestWhatASealerFromElsewhereHasSealedIsSealedAnewEachTime(t *testing.T) {
	store := sealed(t, sealerOf(t, oldKey), 3)
	both := foreign{sealerOf(t, newKey, oldKey)}
	for range 2 {
		if n := resealed(t, store, both); n != 3 {
			t.Errorf("%d were sealed anew", n)
		}
	}
	opens(t, store, sealerOf(t, newKey), 3)
}

func TestARotationSaysWhyNothingOpensAndShowsNothing(t *testing.T) {
	passphrase, err := tokenstore.NewPassphraseSealer("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	both, err := tokenstore.NewRotation(sealerOf(t, newKey), sealerOf(t, oldKey), passphrase)
	if err != nil {
		t.Fatal(err)
	}
	data, err := sealerOf(t, bytes.Repeat([]byte{3}, 32)).Encrypt([]byte("text"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = both.Decrypt(data, nil)
	for _, want := range []string{"a key that this sealer does not hold", "not with a passphrase"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, both); text != "[sealer]" {
			t.Errorf("%s shows %s", verb, text)
		}
	}
	for _, sealers := range [][]tokenstore.Sealer{{nil}, {passphrase, nil}} {
		if s, err := tokenstore.NewRotation(sealers[0], sealers[1:]...); s != nil || err == nil {
			t.Errorf("a nil Sealer makes %v, %v", s, err)
		}
	}
}
