package provider_test

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/client/provider"
)

// facts returns how often the profile has each fact.
func facts(p *provider.Profile) map[string]int {
	has := map[string]int{}
	for _, f := range p.Facts {
		has[f.Name]++
	}
	return has
}

func TestEveryProfileIsComplete(t *testing.T) {
	all := provider.All()
	if len(all) < 41 {
		t.Fatalf("the table has %d providers only", len(all))
	}
	once := []string{
		"issuer", "revoke", "params", "scopes", "client auth", "rotation", "reuse", "access lifetime", "idle", "absolute", "advice", "ended",
	}
	for _, p := range all {
		has := facts(p)
		must := slices.Clone(once)
		if p.Unsupported == "" {
			must = append(must, "authorize")
		}
		if p.Unsupported == "" && !p.Discovery {
			must = append(must, "token")
		}
		if p.Reuse != provider.ReuseUnknown && p.Reuse != provider.ReuseNone && p.Reuse != provider.ReuseStrict {
			must = append(must, "repeat brings")
		}
		for _, name := range must {
			if has[name] != 1 {
				t.Errorf("%s: the fact %q is there %d times", p.Title, name, has[name])
			}
		}
		for name, n := range has {
			if n > 1 && name != "oddity" && name != "note" {
				t.Errorf("%s: the fact %q is there %d times", p.Title, name, n)
			}
		}
		if p.Reuse == provider.ReuseNone != (p.Rotation == provider.RotationNever) {
			t.Errorf("%s: rotation and reuse contradict each other", p.Title)
		}
		if p.Discovery && p.TokenURL != "" || !p.Discovery && p.Unsupported == "" && len(p.Issuers) == 0 {
			t.Errorf("%s: it is not clear where its endpoints are", p.Title)
		}
	}
}

func TestEveryFactHasAnAddressAndADate(t *testing.T) {
	first := time.Date(2012, 10, 12, 0, 0, 0, 0, time.UTC) // RFC 6749
	for _, p := range provider.All() {
		for _, f := range p.Facts {
			u, err := url.Parse(f.Source)
			if err != nil || u.Scheme != "https" || !strings.Contains(u.Host, ".") || strings.ContainsAny(f.Source, " <>\"") {
				t.Errorf("%s: %s: the source %q is no address", p.Title, f.Name, f.Source)
			}
			date, err := time.Parse(time.DateOnly, f.Date)
			if err != nil || date.Before(first) || date.After(time.Now().AddDate(0, 0, 2)) {
				t.Errorf("%s: %s: the date %q is not plausible", p.Title, f.Name, f.Date)
			}
			if f.Value == "" || f.Value != strings.TrimSpace(f.Value) {
				t.Errorf("%s: %s: the value is %q", p.Title, f.Name, f.Value)
			}
		}
	}
}

func TestEveryEndpointIsHTTPSWithoutQuery(t *testing.T) {
	for _, p := range provider.All() {
		p = p.At("https://issuer.example.com")
		for _, endpoint := range []string{p.AuthURL, p.TokenURL, p.RefreshURL, p.DeviceURL, p.RevocationURL} {
			if endpoint == "" {
				continue
			}
			u, err := url.Parse(endpoint)
			if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.Contains(endpoint, "{") {
				t.Errorf("%s: the endpoint %q is no https URL", p.Title, endpoint)
			}
		}
	}
}

func TestNamesAndIssuersAreUnique(t *testing.T) {
	seen := map[string]string{}
	for _, p := range provider.All() {
		if !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(p.Name) || p.Title == "" {
			t.Errorf("%q is no name", p.Name)
		}
		for _, s := range append(p.Issuers, p.Name) {
			if seen[s] != "" {
				t.Errorf("%s and %s both claim %q", seen[s], p.Title, s)
			}
			seen[s] = p.Title
		}
		if got := provider.ByName(p.Name); got == nil || got.Title != p.Title {
			t.Errorf("ByName(%q) = %v", p.Name, got)
		}
		for _, pattern := range p.Issuers {
			issuer := regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(pattern, "example-1")
			if got := provider.Lookup(issuer); got == nil || got.Name != p.Name {
				t.Errorf("Lookup(%q) does not find %s", issuer, p.Title)
			}
		}
	}
}

// A profile decides where refresh tokens are sent to, so an issuer that only looks
// like a known one must not get it.
func TestAForeignIssuerGetsNoProfile(t *testing.T) {
	for _, issuer := range []string{
		"", " ", "none", "https://", "http://accounts.google.com", "https://accounts.google.com/", "https://accounts.google.com.example.com",
		"https://login.microsoftonline.com/v2.0", "https://login.microsoftonline.com/a/b/v2.0", "https://login.microsoftonline.com//v2.0",
		"https://a.b.okta.com", "https://okta.com", "https://example.com/.okta.com", "https://x@example.com:1.okta.com", "https://example.okta.com.example.com",
		"https://example.okta.com/oauth2/", "https://shop.example.com/.myshopify.com", "https://.myshopify.com", "https://%65.myshopify.com",
		"by name", "https://as.example",
	} {
		if p := provider.Lookup(issuer); p != nil {
			t.Errorf("Lookup(%q) = %s", issuer, p.Title)
		}
	}
	if p := provider.ByName("nobody"); p != nil {
		t.Errorf("ByName(nobody) = %s", p.Title)
	}
}

func TestTheEndpointsOfATenantAreItsOwn(t *testing.T) {
	p := provider.Lookup("https://example.myshopify.com")
	if p.TokenURL != "https://example.myshopify.com/admin/oauth/access_token" {
		t.Errorf("TokenURL = %q", p.TokenURL)
	}
	if eu := provider.Lookup("https://accounts.zoho.eu"); eu.RevocationURL != "https://accounts.zoho.eu/oauth/v2/token/revoke" {
		t.Errorf("RevocationURL = %q", eu.RevocationURL)
	}
}

func TestWhatTheTableSaysIsWhatAProgramGets(t *testing.T) {
	p := provider.ByName("slack")
	want := provider.Answer{
		Nested: "authed_user", OK: true, ErrorStatus: 200, ScopeSeparator: ",", TokenTypes: []string{"bot", "user"},
		Dead: []string{"invalid_refresh_token"},
	}
	if got := p.Answer; got.Nested != want.Nested || got.OK != want.OK || got.ErrorStatus != want.ErrorStatus ||
		got.ScopeSeparator != want.ScopeSeparator || !slices.Equal(got.TokenTypes, want.TokenTypes) || !slices.Equal(got.Dead, want.Dead) {
		t.Errorf("slack answers as %+v, want %+v", got, want)
	}
	if w := provider.ByName("withings"); w.Reuse != provider.ReuseUntilUse || w.Grace != 8*time.Hour || w.Answer.ErrorMember != "status" || w.Answer.ErrorNone != "0" || w.TokenParams.Get("action") != "requesttoken" {
		t.Errorf("withings is %+v", w)
	}
	if g := provider.ByName("google"); g.Params.Get("access_type") != "offline" || g.Params.Get("prompt") != "consent" || g.Idle != 180*24*time.Hour || !g.Discovery {
		t.Errorf("google is %+v", g)
	}
	if o := provider.ByName("okta"); o.Reuse != provider.ReuseGrace || o.Repeats() != 30*time.Second {
		t.Errorf("okta can repeat for %v", o.Repeats())
	}
	if f := provider.ByName("fiserv"); !f.Answer.Milliseconds || f.Unsupported == "" {
		t.Errorf("fiserv is %+v", f)
	}
	if g := provider.ByName("gitlab"); g.Answer.Lifetime != 2*time.Hour || g.Repeats() != 0 {
		t.Errorf("gitlab is %+v", g)
	}
}

func TestWhatTheTableSaysOfOddAnswersIsWhatAProgramGets(t *testing.T) {
	if n := provider.ByName("naver"); !n.Answer.Text || n.Answer.Milliseconds || n.AccessLifetime != time.Hour || n.Repeats() != 0 {
		t.Errorf("naver is %+v", n)
	}
	if a := provider.ByName("atlassian"); !slices.Equal(a.Answer.Dead, []string{"unauthorized_client: refresh_token is invalid"}) {
		t.Errorf("at Atlassian a dead token is %q", a.Answer.Dead)
	}
	for _, name := range []string{"salesmsg", "timify", "aspire"} {
		if p := provider.ByName(name); p.Unsupported == "" || p.TokenURL != "" || len(p.Issuers) > 0 {
			t.Errorf("%s is %+v", name, p)
		}
	}
}

// A repeat may end a grant, and a mark does: that takes more than hearsay.
func TestOnlyVerifiedFactsMakeTheClientBolder(t *testing.T) {
	for _, p := range provider.All() {
		for _, f := range p.Facts {
			switch {
			case f.Name == "reuse" && !f.Verified && p.Repeats() != 0:
				t.Errorf("%s: reuse is not verified, and requests are repeated for %v", p.Title, p.Repeats())
			case f.Name == "dead" && !f.Verified:
				t.Errorf("%s: codes that end a grant are not verified", p.Title)
			}
		}
	}
	if b := provider.ByName("bitbucket"); b.Grace != 10*time.Minute || b.Repeats() != 0 {
		t.Errorf("Bitbucket has a grace period of %v, and requests are repeated for %v", b.Grace, b.Repeats())
	}
}

func TestNobodyCanChangeTheTable(t *testing.T) {
	p := provider.ByName("google")
	p.Params.Set("access_type", "online")
	p.Facts[0].Value, p.Issuers[0] = "changed", "changed"
	again := provider.ByName("google")
	if again.Params.Get("access_type") != "offline" || again.Facts[0].Value == "changed" || again.Issuers[0] == "changed" {
		t.Error("a caller has changed what others get")
	}
}

func TestUnverifiedFactsAreFew(t *testing.T) {
	total, unverified := 0, map[string]int{}
	for _, p := range provider.All() {
		for _, f := range p.Facts {
			total++
			if !f.Verified {
				unverified[p.Name]++
			}
		}
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(unverified)) {
		n += unverified[name]
	}
	t.Logf("%d facts, %d of them unverified", total, n)
	if n > total/3 {
		t.Errorf("%d of %d facts are unverified: the table has lost its worth", n, total)
	}
}
