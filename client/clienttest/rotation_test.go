package clienttest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/clienttest"
)

// Each row tells the life of a family that begins with the refresh token a:
//
//	a gives b     a refresh with a succeeds; what it brings is called b
//	a reused      a refresh with a is refused as reused
//	a refused     a refresh with a is refused, and not as reused
//	API b         the access token that came with b is let in
//	no API b      it is not
//	wait 30s      time passes
//	alive, dead   what FamilyAlive says
func TestEachKindOfRotation(t *testing.T) {
	const grace = 30 * time.Second
	for _, row := range []struct {
		name  string
		set   clienttest.Options
		story string
	}{
		{"strict", clienttest.Options{},
			"a gives b; b gives c; API b; API c; alive; a reused; dead; no API c; c refused; b reused"},
		{"strict, newest replayed at once", clienttest.Options{},
			"a gives b; a reused; b refused; dead"},
		{"without family revocation", clienttest.Options{Rotation: clienttest.RefuseReuse},
			"a gives b; a reused; alive; API b; b gives c; b reused; c gives d; alive"},
		{"new pairs in grace", clienttest.Options{Grace: grace},
			"a gives b; a gives c; b gives d; c gives e; a gives f; API b; API c; alive"},
		{"new pairs after grace", clienttest.Options{Grace: grace},
			"a gives b; wait 29s; a gives c; wait 1s; a reused; dead; b refused; c refused"},
		{"grace counts from the first use", clienttest.Options{Grace: grace},
			"a gives b; wait 20s; a gives c; wait 20s; a reused"},
		{"grace without family revocation", clienttest.Options{Grace: grace, Rotation: clienttest.RefuseReuse},
			"a gives b; a gives c; wait 30s; a reused; alive; b gives d; c gives e"},
		{"same pair", clienttest.Options{Grace: grace, InGrace: clienttest.SamePair},
			"a gives b; a gives b; API b; b gives c; a gives b; b gives c; wait 30s; c gives d; a reused; dead"},
		{"one slot", clienttest.Options{Grace: grace, InGrace: clienttest.OneSlot},
			"a gives b; a gives c; no API b; b refused; API c; c gives d; alive"},
		{"one slot, newer one used", clienttest.Options{Grace: grace, InGrace: clienttest.OneSlot},
			"a gives b; b gives c; b gives d; c refused; a reused; dead"},
		{"commit on use, not used", clienttest.Options{Rotation: clienttest.CommitOnUse},
			"a gives b; wait 24h; a gives c; b refused; no API b; API c; a reused; c gives d; alive"},
		{"commit on use of the access token", clienttest.Options{Rotation: clienttest.CommitOnUse},
			"a gives b; API b; a reused; alive; b gives c; b gives d; c refused"},
		{"commit on use of the refresh token", clienttest.Options{Rotation: clienttest.CommitOnUse},
			"a gives b; b gives c; a reused; alive; c gives d"},
		{"no rotation", clienttest.Options{Rotation: clienttest.NoRotation},
			"a gives a; a gives a; API a; alive"},
	} {
		t.Run(row.name, func(t *testing.T) {
			inMemory(t, func(t *testing.T, s *clienttest.Server) {
				s.Set(func(o *clienttest.Options) {
					o.Rotation, o.Grace, o.InGrace = row.set.Rotation, row.set.Grace, row.set.InGrace
				})
				tell(t, s, row.story)
			})
		})
	}
}

func tell(t *testing.T, s *clienttest.Server, story string) {
	refreshTokens := map[string]string{"a": s.Grant("alice").RefreshToken}
	accessTokens := map[string]string{}
	for step := range strings.SplitSeq(story, "; ") {
		words := strings.Fields(step)
		switch {
		case words[0] == "wait":
			d, err := time.ParseDuration(words[1])
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
		case words[0] == "alive", words[0] == "dead":
			if s.FamilyAlive("alice") != (words[0] == "alive") {
				t.Errorf("the family is not %s", step)
			}
		case words[0] == "API", words[0] == "no":
			want := map[string]int{"API": http.StatusOK, "no": http.StatusUnauthorized}[words[0]]
			if got := get(t, s, clienttest.APIPath, accessTokens[words[len(words)-1]]); got.Status != want {
				t.Errorf("%q: the API answered %d", step, got.Status)
			}
		case words[1] == "gives":
			tellGives(t, s, step, refreshTokens, accessTokens)
		default:
			r := refresh(t, s, refreshTokens[words[0]])
			wantError(t, r, http.StatusBadRequest, "invalid_grant")
			exchanges := s.Exchanges()
			if got := exchanges[len(exchanges)-1].Outcome.String(); got != words[1] {
				t.Errorf("%q: the outcome is %s", step, got)
			}
		}
		if t.Failed() {
			t.Fatalf("the story broke at %q", step)
		}
	}
}

func tellGives(t *testing.T, s *clienttest.Server, step string, refreshTokens, accessTokens map[string]string) {
	words := strings.Fields(step)
	old, name := words[0], words[2]
	spent := s.Spent(refreshTokens[old])
	next, access := mustRefresh(t, s, refreshTokens[old])
	if got := s.Spent(refreshTokens[old]); got != spent+1 {
		t.Errorf("%q: Spent went from %d to %d", step, spent, got)
	}
	if next == "" { // RFC 6749 section 6: the old one stays
		next = refreshTokens[old]
	}
	known, seen := refreshTokens[name]
	switch {
	case seen && known != next:
		t.Errorf("%q: it is another refresh token than before", step)
	case seen && old != name && accessTokens[name] != access:
		t.Errorf("%q: it is another access token than before", step)
	case !seen && next == refreshTokens[old]:
		t.Errorf("%q: the refresh token was not rotated", step)
	}
	refreshTokens[name], accessTokens[name] = next, access
}

func TestTheSamePairHasAnAccessTokenThatLives(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) {
			o.Grace, o.InGrace, o.AccessTokenLifetime = time.Minute, clienttest.SamePair, 10*time.Second
		})
		rt := s.Grant("alice").RefreshToken
		first := refresh(t, s, rt)
		time.Sleep(4 * time.Second)
		second := refresh(t, s, rt)
		if second.text("access_token") != first.text("access_token") || second.JSON["expires_in"] != 6.0 {
			t.Errorf("after 4 s of 10: %s", second.Body)
		}
		time.Sleep(6 * time.Second)
		third := refresh(t, s, rt)
		if third.text("access_token") == first.text("access_token") || third.JSON["expires_in"] != 10.0 ||
			third.text("refresh_token") != first.text("refresh_token") {
			t.Errorf("after 10 s of 10: %s", third.Body)
		}
	})
}

func TestARefusedRequestBurnsTheTokenOnlyWhereItShould(t *testing.T) {
	for _, burns := range []bool{false, true} {
		for _, param := range []string{"scope", "resource"} {
			t.Run(map[bool]string{true: "burns ", false: "lives "}[burns]+param, func(t *testing.T) {
				inMemory(t, func(t *testing.T, s *clienttest.Server) {
					s.Set(func(o *clienttest.Options) { o.BurnOnRefusal, o.Grace = burns, time.Minute })
					rt := s.Grant("alice").RefreshToken
					form := refreshForm(rt)
					form.Set(param, "https://elsewhere.example")
					code := map[string]string{"scope": "invalid_scope", "resource": "invalid_target"}[param]
					wantError(t, post(t, s, clienttest.TokenPath, form), http.StatusBadRequest, code)
					if s.Spent(rt) != 0 {
						t.Error("a refused request counts as spent")
					}
					if alive := s.FamilyAlive("alice"); alive == burns {
						t.Errorf("FamilyAlive is %t", alive)
					}
					if burns {
						wantError(t, refresh(t, s, rt), http.StatusBadRequest, "invalid_grant")
					} else {
						mustRefresh(t, s, rt)
					}
				})
			})
		}
	}
}

func TestRefreshTokensExpire(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		s.Set(func(o *clienttest.Options) { o.RefreshTokenLifetime = time.Hour })
		rt := s.Grant("alice").RefreshToken
		time.Sleep(59 * time.Minute)
		r := refresh(t, s, rt)
		if r.JSON["refresh_token_expires_in"] != 3600.0 {
			t.Errorf("the answer does not tell the lifetime: %s", r.Body)
		}
		time.Sleep(time.Hour)
		wantError(t, refresh(t, s, r.text("refresh_token")), http.StatusBadRequest, "invalid_grant")
		if s.Reused() != 0 || s.FamilyAlive("alice") {
			t.Errorf("Reused %d, FamilyAlive %t", s.Reused(), s.FamilyAlive("alice"))
		}
	})
}

func TestARefreshCanNarrowTheScopeForOneAnswer(t *testing.T) {
	inMemory(t, func(t *testing.T, s *clienttest.Server) {
		form := refreshForm(s.Grant("alice").RefreshToken)
		form.Set("scope", "profile")
		r := post(t, s, clienttest.TokenPath, form)
		if r.text("scope") != "profile" || r.text("id_token") != "" {
			t.Errorf("asked for profile, got %s", r.Body)
		}
		if r = refresh(t, s, r.text("refresh_token")); r.text("scope") != "openid offline_access profile" {
			t.Errorf("the grant itself was narrowed: %s", r.Body)
		}
	})
}
