package transport_test

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/regrant/regrant/transport"
)

type params = map[string]string

func challenges(lines ...string) []transport.Challenge {
	return transport.Challenges(&http.Response{Header: http.Header{"Www-Authenticate": lines}})
}

func TestChallengesAreReadAsTheServerMeantThem(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  []transport.Challenge
	}{
		{"nothing", nil, nil},
		{"an empty header", []string{""}, nil},
		{"a scheme alone", []string{"Bearer"}, []transport.Challenge{{"Bearer", nil}}},
		{"RFC 6750 section 3", []string{`Bearer realm="example", error="invalid_token", error_description="The access token expired"`},
			[]transport.Challenge{{"Bearer", params{"realm": "example", "error": "invalid_token", "error_description": "The access token expired"}}}},
		{"RFC 9110 section 11.6.1", []string{`Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`},
			[]transport.Challenge{{"Basic", params{"realm": "simple"}}, {"Newauth", params{"realm": "apps", "type": "1", "title": `Login to "apps"`}}}},
		{"RFC 9449 section 7.1", []string{`DPoP error="invalid_token", error_description="Invalid DPoP key binding", algs="ES256"`},
			[]transport.Challenge{{"DPoP", params{"error": "invalid_token", "error_description": "Invalid DPoP key binding", "algs": "ES256"}}}},
		{"RFC 9470 section 3", []string{`Bearer error="insufficient_user_authentication", acr_values="urn:mfa urn:hwk", max_age="5"`},
			[]transport.Challenge{{"Bearer", params{"error": "insufficient_user_authentication", "acr_values": "urn:mfa urn:hwk", "max_age": "5"}}}},
		{"RFC 9728 section 5.1", []string{`Bearer resource_metadata="https://resource.example.com/.well-known/oauth-protected-resource"`},
			[]transport.Challenge{{"Bearer", params{"resource_metadata": "https://resource.example.com/.well-known/oauth-protected-resource"}}}},
		{"three schemes in a line", []string{`Basic realm="a", Bearer error="invalid_token", DPoP algs="ES256 PS256"`},
			[]transport.Challenge{{"Basic", params{"realm": "a"}}, {"Bearer", params{"error": "invalid_token"}}, {"DPoP", params{"algs": "ES256 PS256"}}}},
		{"schemes alone in a line", []string{"Negotiate, NTLM ,Bearer"},
			[]transport.Challenge{{"Negotiate", nil}, {"NTLM", nil}, {"Bearer", nil}}},
		{"several lines", []string{`Basic realm="a"`, `Bearer`, `Bearer error="x"`},
			[]transport.Challenge{{"Basic", params{"realm": "a"}}, {"Bearer", nil}, {"Bearer", params{"error": "x"}}}},
		{"a comma, a quote and a challenge inside quotes", []string{`Bearer error_description="a, \"b\", Basic realm=\"c\", \\", error="x"`},
			[]transport.Challenge{{"Bearer", params{"error_description": `a, "b", Basic realm="c", \`, "error": "x"}}}},
		{"cases", []string{`bEARER Error="X"`}, []transport.Challenge{{"bEARER", params{"error": "X"}}}},
		{"spaces around the sign", []string{"Bearer error = \"x\" ,\tscope\t=\ty"}, []transport.Challenge{{"Bearer", params{"error": "x", "scope": "y"}}}},
		{"empty elements", []string{`,, Bearer error="x",, scope="y" , ,`}, []transport.Challenge{{"Bearer", params{"error": "x", "scope": "y"}}}},
		{"an empty value", []string{`Bearer realm="", scope=`}, []transport.Challenge{{"Bearer", params{"realm": "", "scope": ""}}}},
		{"token68", []string{"Negotiate YII+/a==, Bearer"}, []transport.Challenge{{"Negotiate", params{"": "YII+/a=="}}, {"Bearer", nil}}},
		{"token68 and a parameter that looks like it", []string{"A b=, C d=e"}, []transport.Challenge{{"A", params{"": "b="}}, {"C", params{"d": "e"}}}},
		{"spaces after token68", []string{"Negotiate YII= , Bearer"}, []transport.Challenge{{"Negotiate", params{"": "YII="}}, {"Bearer", nil}}},
		{"a parameter twice", []string{`Bearer resource_metadata="a", Resource_Metadata="b"`}, []transport.Challenge{{"Bearer", params{"resource_metadata": "a"}}}},
		{"a parameter of no scheme", []string{`error="x", Bearer realm="y"`}, []transport.Challenge{{"Bearer", params{"realm": "y"}}}},
		{"a parameter of the line before", []string{`Bearer`, `error="x"`}, []transport.Challenge{{"Bearer", nil}}},

		{"no comma between parameters", []string{`Bearer error="x" scope=y realm="z"`}, []transport.Challenge{{"Bearer", params{"error": "x", "scope": "y", "realm": "z"}}}},
		{"a comma after the scheme", []string{`Bearer, error="x"`}, []transport.Challenge{{"Bearer", params{"error": "x"}}}},
		{"an address without quotes", []string{`Bearer resource_metadata=https://a.example/b?c=d, error=x`},
			[]transport.Challenge{{"Bearer", params{"resource_metadata": "https://a.example/b?c=d", "error": "x"}}}},
		{"a sentence without quotes", []string{`Bearer error_description=The token, it expired, error=x`},
			[]transport.Challenge{{"Bearer", params{"error_description": "The"}}, {"it", params{"": "expired", "error": "x"}}}},
		{"words without quotes", []string{`Bearer error_description=The token expired, error=x`},
			[]transport.Challenge{{"Bearer", params{"error_description": "The", "error": "x"}}}},
		{"a quote that does not end", []string{`Bearer error="x, scope=y`, `Basic`}, []transport.Challenge{{"Bearer", params{"error": "x, scope=y"}}, {"Basic", nil}}},
		{"an escape at the end", []string{`Bearer error="x\`}, []transport.Challenge{{"Bearer", params{"error": "x"}}}},
		{"no scheme", []string{`"a b", =, ==, {"error": "x"}, é, text/html, a:b`}, nil},
		{"bytes that are no text", []string{"Bearer error=\"\xff\x00\", \xff\xfe"}, []transport.Challenge{{"Bearer", params{"error": "\xff\x00"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := challenges(test.lines...); !reflect.DeepEqual(got, test.want) {
				t.Errorf("%q\n got %q\nwant %q", test.lines, got, test.want)
			}
		})
	}
}

func TestChallengesAreReadWhateverTheStatus(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusUnauthorized, http.StatusForbidden} {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Www-Authenticate": {"Bearer"}}}
		if got := transport.Challenges(resp); len(got) != 1 {
			t.Errorf("status %d: got %q", status, got)
		}
	}
	if got := transport.Challenges(new(http.Response)); got != nil {
		t.Errorf("a response without headers: got %q", got)
	}
}

func TestAFloodOfChallengesIsCutOff(t *testing.T) {
	if got := challenges("Bearer", strings.Repeat("A,", 1<<20), "Basic"); !reflect.DeepEqual(got, []transport.Challenge{{Scheme: "Bearer"}}) {
		t.Errorf("a long line: %d challenges", len(got))
	}
	if got := challenges(slices.Repeat([]string{"Bearer"}, 1<<20)...); len(got) > 16<<10 {
		t.Errorf("many lines: %d challenges", len(got))
	}
}

// render writes challenges as RFC 9110 wants them, each in a line of its own.
func render(list []transport.Challenge) []string {
	var lines []string
	for _, c := range list {
		var elements []string
		for _, name := range slices.Sorted(maps.Keys(c.Params)) {
			if name == "" {
				elements = append(elements, c.Params[""])
			} else {
				elements = append(elements, name+"="+quote(c.Params[name]))
			}
		}
		lines = append(lines, strings.TrimSpace(c.Scheme+" "+strings.Join(elements, ", ")))
	}
	return lines
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// FuzzChallenges: whatever is in the header, what is read from it is no longer
// than it, and reads the same again when it is written as RFC 9110 wants it.
// Nothing inside a quoted value ends that value.
func FuzzChallenges(f *testing.F) {
	for _, seed := range []string{
		"", "Bearer", `Bearer error="invalid_token", scope="a b"`, `Basic realm="a", Bearer error="x", DPoP algs="ES256"`,
		"Negotiate YII+/a==, NTLM", "A b=, C d=e", `Bearer error_description="a, \"b\", Basic realm=\"c\\"`, `Bearer error="x`,
		`Bearer, error = x scope=y`, `{"error": "x"}`, `="", ,a=b`, "A b c=d, e", `", error="insufficient_scope`, `\`,
		`DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof", algs="ES256 PS256"`,
		`Bearer error="insufficient_user_authentication", acr_values="urn:mfa", max_age="5"`,
		`Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource", Bearer resource_metadata="https://evil.example"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 1<<10 {
			t.Skip("what is written for it could be longer than Challenges reads")
		}
		got := challenges(line)
		size := 0
		for _, c := range got {
			size += len(c.Scheme)
			for name, value := range c.Params {
				size += len(name) + len(value)
			}
		}
		if size > len(line) {
			t.Errorf("%q of %d bytes became %d bytes", line, len(line), size)
		}
		if again := challenges(render(got)...); !reflect.DeepEqual(again, got) {
			t.Errorf("%q was read as\n%q, and that, written as\n%q, as\n%q", line, got, render(got), again)
		}

		header := fmt.Sprintf(`Bearer error_description=%s, error="invalid_token"`, quote(line))
		want := []transport.Challenge{{Scheme: "Bearer", Params: params{"error_description": line, "error": "invalid_token"}}}
		if got := challenges(header); !reflect.DeepEqual(got, want) {
			t.Errorf("%q was read as %q", header, got)
		}
	})
}
