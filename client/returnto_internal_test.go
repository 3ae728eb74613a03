package client

import (
	"strings"
	"testing"
)

func TestAReturnPathStaysOnTheSite(t *testing.T) {
	for _, good := range []string{
		"/", "/reports", "/reports?year=2026&x=%2F", "/a/b/#c", "/search?q=https://evil.example//x", "/%2F%2Fevil.example",
		"/%5Cevil.example", "/ü", "/" + strings.Repeat("x", maxReturn-1),
	} {
		if got := localPath(good); got != good {
			t.Errorf("%q becomes %q", good, got)
		}
	}
	for _, bad := range []string{
		"", "reports", "?x", "#x", ".", "..//evil.example", "/" + strings.Repeat("x", maxReturn),
		"https://evil.example", "HTTPS://evil.example/", "http:evil.example", "https:evil.example", "https:/evil.example",
		"https:///evil.example", "//evil.example", "///evil.example", "////evil.example/%2f..",
		`/\evil.example`, `\/evil.example`, `\\evil.example`, `/\/evil.example`, `/x\..\..\evil.example`, `https:\\evil.example`,
		"//evil.example@site.example", "//user@evil.example", "https://site.example@evil.example", "//evil.example:443/", "//[::1]/",
		"/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example", "/\x00/evil.example",
		"/x\r\nLocation: https://evil.example", "/x\x7f", "/?\t", "/#\n", "%2F%2Fevil.example", "%5C%5Cevil.example", "/%zz",
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "mailto:x@evil.example",
	} {
		if got := localPath(bad); got != "/" {
			t.Errorf("%q stays %q", bad, got)
		}
	}
}
