package openurl

import (
	"strings"
	"testing"

	"github.com/regrant/regrant/internal/canary"
)

func TestWhatIsNotAWebPageIsRefusedBeforeAnythingStarts(t *testing.T) {
	for _, tc := range []struct{ name, url string }{
		{"nothing", ""},
		{"an option", "--version"},
		{"an option with a URL", "-url=https://example.com/"},
		{"a file", "file:///etc/passwd"},
		{"a path", "/etc/passwd"},
		{"a script", "javascript:alert(1)"},
		{"data", "data:text/html,hello"},
		{"the handler of another program", "ms-msdt:/id"},
		{"no scheme", "//example.com/"},
		{"no host", "https:///path"},
		{"a port and no host", "https://:443/"},
		{"an opaque URL", "https:example.com"},
		{"a line break", "https://example.com/\n--version"},
		{"a carriage return", "https://example.com/\r"},
		{"a NUL", "https://example.com/\x00"},
		{"a space", "https://example.com/ calc.exe"},
		{"a leading space", " https://example.com/"},
		{"a quotation mark", `https://example.com/" calc.exe "`},
		{"a back quote", "https://example.com/`id`"},
		{"a backslash", `https:\\example.com\`},
		{"a pipe", "https://example.com/|id"},
		{"what is not ASCII", "https://exämple.com/"},
		{"what is not UTF-8", "https://example.com/\xff"},
		{"a bad escape", "https://example.com/%zz"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := Open(t.Context(), tc.url)
			if err == nil || !strings.HasPrefix(err.Error(), "the URL to open ") {
				t.Errorf("Open(%q) = %v, want an error about the URL", tc.url, err)
			}
			if err != nil && len(tc.url) > 0 && strings.Contains(err.Error(), tc.url) {
				t.Errorf("the error repeats the URL: %v", err)
			}
		})
	}
}

// FuzzCheck: whatever is accepted is one word of printable ASCII that begins with
// the scheme of a web page, and no error repeats any of the URL.
func FuzzCheck(f *testing.F) {
	for _, raw := range []string{
		"https://example.com/authorize?client_id=a&state=b", "http://[::1]:8080/", "-x", "https://a\n", "HTTPS://a", "https:\\\\a",
		"file:///etc/passwd", "ms-msdt:/id", "https://a\" calc.exe \"", "https://a/%zz",
	} {
		f.Add(raw, uint(8))
	}
	f.Fuzz(func(t *testing.T, raw string, at uint) {
		if err := check(canary.Plant(raw, at)); err != nil && canary.Shown(err) != "" {
			t.Fatalf("the error repeats the URL: %v", err)
		}
		if check(raw) != nil {
			return
		}
		lower := strings.ToLower(raw)
		if !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") {
			t.Fatalf("accepted %q", raw)
		}
		for i := range len(raw) {
			if c := raw[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
				t.Fatalf("accepted %q, which holds %q", raw, c)
			}
		}
	})
}
