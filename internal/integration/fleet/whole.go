package fleet

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regrant/regrant/client"
	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/record"
	"github.com/regrant/regrant/tokenstore"
)

// KeepsWhole logs in and renews, at a server whose answers have every member that a
// record keeps, and one of at least more bytes. What another handle on the place
// then finds is all of it, byte for byte.
func KeepsWhole(t *testing.T, open Open, place string, more int) {
	t.Helper()
	const odd = "\x00 \u00e9\u202e\U0001f511 <&> \\\"'\r\n"
	note := strings.Repeat(odd, more/len(odd)+1)
	var mu sync.Mutex
	var answer map[string]any // the last
	var idTokens []any
	f := NewWithoutLogin(t, open, place, func(o *clienttest.Options) {
		o.Tamper = func(x clienttest.Exchange, sent map[string]any) {
			if x.Path != clienttest.TokenPath {
				return
			}
			sent["scope"], sent["refresh_token_expires_in"], sent["note"] = "offline_access openid", 86400, note
			mu.Lock()
			defer mu.Unlock()
			answer, idTokens = maps.Clone(sent), append(idTokens, sent["id_token"])
		}
	})
	mine, err := open(place)
	if err != nil {
		t.Fatal(err)
	}
	me := f.Join(mine)
	began := time.Now()
	for _, get := range []func() error{
		func() error { return me.Login(t.Context(), client.Browser{Open: f.AS.Browser()}) },
		func() error { _, err := me.Refresh(t.Context(), nil); return err },
	} {
		if err := get(); err != nil {
			t.Fatal(err)
		}
		rec := f.Stored()
		mu.Lock()
		comparesTo(t, rec, answer)
		if kept := rec.IDToken; kept == "" || !slices.Contains(idTokens, any(kept)) {
			t.Errorf("an ID token of %d bytes is kept that nobody has sent", len(kept))
		}
		mu.Unlock()
		if rec.Renewed.Before(began.Round(0)) || rec.Renewed.After(time.Now()) {
			t.Errorf("it is kept as renewed at %v", rec.Renewed)
		}
		if !slices.Contains(rec.Requested, "offline_access") || rec.Identity == nil || rec.Identity.Subject == "" {
			t.Errorf("of the login, the scopes %q and the identity %+v are kept", rec.Requested, rec.Identity)
		}
	}
}

// Lists checks that a store lists one grant under its key, and nothing else.
func Lists(t *testing.T, s tokenstore.Lister, key tokenstore.Key) {
	t.Helper()
	var listed []tokenstore.Key
	for k, err := range s.List(t.Context(), key) {
		if err != nil {
			t.Error(err)
		}
		listed = append(listed, k)
	}
	if !slices.Equal(listed, []tokenstore.Key{key}) {
		t.Errorf("List yielded %v", listed)
	}
}

// comparesTo compares a record to the answer that it is made of.
func comparesTo(t *testing.T, rec *record.Record, answer map[string]any) {
	t.Helper()
	for member, kept := range map[string]string{
		"refresh_token": rec.RefreshToken, "access_token": rec.AccessToken, "token_type": rec.TokenType, "scope": strings.Join(rec.Granted, " "),
	} {
		if sent, _ := answer[member].(string); sent == "" || kept != sent {
			t.Errorf("%s: %d bytes were sent, and %d others are kept", member, len(sent), len(kept))
		}
	}
	var note string
	if err := json.Unmarshal(rec.Extra["note"], &note); err != nil || note != answer["note"] {
		t.Errorf("of a member that nobody knows %d bytes are kept, %v", len(note), err)
	}
	for member, end := range map[string]time.Time{"expires_in": rec.Expiry, "refresh_token_expires_in": rec.RefreshExpiry} {
		sent, _ := json.Marshal(answer[member])
		if life, _ := json.Marshal(end.Sub(rec.Renewed).Seconds()); string(life) != string(sent) {
			t.Errorf("%s: %s s were sent, and %s s are kept", member, sent, life)
		}
	}
}
