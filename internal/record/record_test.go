package record_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/internal/canary"
	"github.com/regrant/regrant/internal/record"
)

const key = "https://as.example.com|cli|alice"

// full is a record with everything in it: testdata/format1.json.
func full() *record.Record {
	at := func(s string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			panic(err)
		}
		return t
	}
	return &record.Record{
		Grant: "i:9f86d081884c7d65", Generation: 7,
		RefreshToken: "refresh-token-secret", AccessToken: "access-token-secret", TokenType: "Bearer",
		Extra:   map[string]json.RawMessage{"instance_url": json.RawMessage(`"https://eu1.example.com"`), "team": json.RawMessage(`{"id":12345678901234567890}`)},
		IDToken: "id.token.secret",
		Identity: &record.Identity{
			Issuer: "https://as.example.com", Subject: "248289761001", Audience: []string{"cli", "other"}, Party: "cli",
			Nonce: "n-0S6_WzA2Mj", IssuedAt: 1795492800, AuthTime: 1795492790,
		},
		Requested: []string{"openid", "offline_access", "read"}, Granted: []string{"openid", "read"},
		LoggedIn: at("2026-11-24T08:00:00.123456789Z"), Renewed: at("2026-11-24T09:00:00Z"),
		Lifetime: time.Hour, Expiry: at("2026-11-24T10:00:00Z"),
		RefreshExpiry: at("2027-02-22T09:00:00Z"), GrantExpiry: at("2027-11-24T08:00:00Z"),
		Intent:     &record.Intent{ID: "KX3FQ", Attempt: 9, Lease: 15 * time.Second, Locked: true, Started: at("2026-11-24T09:50:02Z")},
		Unanswered: &record.Intent{ID: "M2ZAB", Attempt: 8, Lease: 15 * time.Second, Started: at("2026-11-24T09:50:00Z")},
		Refused:    &record.Refused{Code: "invalid_grant", When: at("2026-11-24T09:51:00Z"), Text: "the server answered invalid_grant"},
	}
}

// The file is what the first release wrote. It is never changed: a record that
// somebody keeps on a disk has to open in every later version.
func TestFieldCase_AzureAD_microsoft_authentication_library_for_go_423_ARecordOfFormat1OpensForEver(t *testing.T) {
	data, err := os.ReadFile("testdata/format1.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := record.Decode(data, key)
	if err != nil {
		t.Fatal(err)
	}
	if want := full(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", show(got), show(want))
	}
}

// An older program that shares the store has to understand what this one writes.
func TestWhatIsWrittenIsFormat1(t *testing.T) {
	want, err := os.ReadFile("testdata/format1.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := full().Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.TrimSpace(want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// show is JSON, since no other notation shows what is in a record.
func show(r *record.Record) string {
	data, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func TestARecordComesBackAsItWas(t *testing.T) {
	long := full()
	long.RefreshToken = strings.Repeat("r", 64<<10)
	held := full()
	held.Intent.Holder, held.Intent.Since = "web-3:4711", held.Intent.Started.Add(-time.Minute)
	for name, r := range map[string]*record.Record{
		"everything":                   full(),
		"an intent with a holder":      held,
		"nothing but a grant":          {Grant: "g"},
		"a token without an end":       {Grant: "g", AccessToken: "at", TokenType: "bearer"},
		"a refresh token of 64 KiB":    long,
		"characters of all kinds":      {Grant: "g", RefreshToken: "<&>\u2028\x00é\\\"", AccessToken: "a", Granted: []string{"é", "<"}},
		"a generation beyond float64":  {Grant: "g", Generation: 1<<64 - 1},
		"extra members that are empty": {Grant: "g", Extra: map[string]json.RawMessage{"": json.RawMessage("null"), "x": json.RawMessage("[]")}},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := r.Encode(key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := record.Decode(data, key)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, r) {
				t.Errorf("got  %s\nwant %s", show(got), show(r))
			}
		})
	}
}

func TestMembersThatAreNotKnownAreNoDamage(t *testing.T) {
	got, err := record.Decode([]byte(`{"format":1,"key":"k","grant":"g","generation":3,"logged_in":"2026-11-24T08:00:00Z","renewed":"2026-11-24T08:00:00Z","dpop_key":{"kty":"EC"},"tags":[1]}`), "k")
	if err != nil {
		t.Fatal(err)
	}
	if got.Grant != "g" || got.Generation != 3 {
		t.Errorf("got %s", show(got))
	}
}

func TestWhatDoesNotOpenSaysWhy(t *testing.T) {
	good, err := full().Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	replaced := func(old, with string) []byte {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("the record does not hold %s", old)
		}
		return bytes.Replace(good, []byte(old), []byte(with), 1)
	}
	for _, c := range []struct {
		name string
		data []byte
		key  string
		want error
	}{
		{"nothing", nil, key, record.ErrDamaged},
		{"half", good[:len(good)/2], key, record.ErrDamaged},
		{"all but one byte", good[:len(good)-1], key, record.ErrDamaged},
		{"more than a record", append(bytes.Clone(good), 'x'), key, record.ErrDamaged},
		{"null", []byte("null"), key, record.ErrDamaged},
		{"an array", []byte("[]"), key, record.ErrDamaged},
		{"zeros", make([]byte, len(good)), key, record.ErrDamaged},
		{"another kind of JSON", []byte(`{"access_token":"at"}`), key, record.ErrDamaged},
		{"no format", replaced(`"format":1`, `"form":1`), key, record.ErrDamaged},
		{"format 0", replaced(`"format":1`, `"format":0`), key, record.ErrDamaged},
		{"a format in words", replaced(`"format":1`, `"format":"one"`), key, record.ErrDamaged},
		{"no grant", replaced(`"grant":"i:9f86d081884c7d65"`, `"grant":""`), key, record.ErrDamaged},
		{"a lifetime below zero", replaced(`"lifetime":3600000000000`, `"lifetime":-1`), key, record.ErrDamaged},
		{"a lease below zero", replaced(`"lease":15000000000`, `"lease":-1`), key, record.ErrDamaged},
		{"an intent of nobody", replaced(`"id":"KX3FQ"`, `"id":""`), key, record.ErrDamaged},
		{"a token that is none", replaced(`"refresh-token-secret"`, `["refresh-token-secret"]`), key, record.ErrDamaged},
		{"a newer format", replaced(`"format":1`, `"format":2`), key, record.ErrNewer},
		{"a newer format that looks different", []byte(`{"format":9,"key":7,"grant":{}}`), key, record.ErrNewer},
		{"another account", good, "https://as.example.com|cli|bob", record.ErrMoved},
		{"no key", good, "", record.ErrMoved},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := record.Decode(c.data, c.key)
			if r != nil || !errors.Is(err, c.want) {
				t.Fatalf("got %s, %v; want %v", show(r), err, c.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the record: %v", err)
			}
		})
	}
}

func TestNoTextOfARecordShowsAToken(t *testing.T) {
	r := full()
	texts := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		texts[verb] = fmt.Sprintf(verb, r)
		texts[verb+" of the value"] = fmt.Sprintf(verb, *r)
		texts[verb+" of a struct"] = fmt.Sprintf(verb, struct{ R any }{r})
		texts[verb+" of a list"] = fmt.Sprintf(verb, []record.Record{*r})
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("kept", "record", r, "value", *r)
	}
	texts["slog"] = log.String()
	for how, text := range texts {
		for _, secret := range []string{"secret", fmt.Sprintf("%x", "secret")} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a token: %s", how, text)
			}
		}
	}
	if !strings.Contains(texts["%v"], "generation 7") {
		t.Errorf("%%v is %q: it should tell which generation it is", texts["%v"])
	}
	if got := fmt.Sprint((*record.Record)(nil)); got != "<nil>" {
		t.Errorf("a record that is not there is printed as %q", got)
	}
}

func TestAnIntentIsPutIntoACopy(t *testing.T) {
	r := full()
	r.Intent = nil
	intent := &record.Intent{ID: "x", Lease: time.Second}
	c := r.With(intent)
	if c.Intent != intent || r.Intent != nil {
		t.Errorf("intents are %v and %v", c.Intent, r.Intent)
	}
	if c = c.With(nil); !reflect.DeepEqual(c, r) {
		t.Errorf("got  %s\nwant %s", show(c), show(r))
	}
}

func TestRecordsAreOfOneGrantByItsName(t *testing.T) {
	a, b := &record.Record{Grant: "g", Generation: 1}, &record.Record{Grant: "g", Generation: 2}
	if !a.Same(b) {
		t.Error("two generations of a grant are not the same grant")
	}
	if a.Same(&record.Record{Grant: "h"}) || a.Same(nil) || (*record.Record)(nil).Same(a) || (*record.Record)(nil).Same(nil) {
		t.Error("another grant, or none, is the same grant")
	}
}

// FuzzDecode: any bytes are a record or one of the three errors, which quote
// nothing of them; and what opened is written, opens again as it was, and is
// written the second time as it was the first.
func FuzzDecode(f *testing.F) {
	good, err := full().Encode(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, key, uint(0))
	f.Add(good[:100], key, uint(90))
	for _, data := range []string{
		`{"format":2}`, `null`, `{"format":1,"key":"k","grant":"g","extra":{"a":1e999}}`,
		`{"format":1,"key":"k","grant":"g","logged_in":"9999-12-31T23:59:59.999999999-23:59","renewed":"0000-01-01T00:00:00+23:59"}`,
		`{"format":1,"key":"k","Grant":"g","grant":"h","extra":{"\u003c":"<&>\u2028","a":[ 1 ]},"extra":{"b":null}}`,
		`{"format":1,"key":"k","grant":"g","generation":18446744073709551615,"lifetime":9223372036854775807,"intent":{"id":"x","lease":0},"intent":null}`,
	} {
		f.Add([]byte(data), "k", uint(30))
	}
	f.Fuzz(func(t *testing.T, data []byte, key string, at uint) {
		if _, err := record.Decode([]byte(canary.Plant(string(data), at)), key); err != nil && canary.Shown(err) != "" {
			t.Errorf("the error repeats the record: %v", err)
		}
		r, err := record.Decode(data, key)
		if err != nil {
			if r != nil || !errors.Is(err, record.ErrDamaged) && !errors.Is(err, record.ErrMoved) && !errors.Is(err, record.ErrNewer) {
				t.Errorf("got %s, %v", show(r), err)
			}
			return
		}
		first, err := r.Encode(key)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := record.Decode(first, key)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if second, err := again.Encode(key); err != nil || !bytes.Equal(first, second) {
			t.Errorf("written as %s\nand then %s, %v", first, second, err)
		}
		if a, b := show(r), show(again); a != b {
			t.Errorf("read %s\nthen %s", a, b)
		}
	})
}
