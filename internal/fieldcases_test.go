package internal_test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A fieldCase is a row of docs/field-cases.md.
type fieldCase struct {
	number  string
	reports []string
	shown   []string // packages and tests in turn
	reason  string   // why it cannot apply
}

func fieldCases(t *testing.T) []fieldCase {
	t.Helper()
	text, err := os.ReadFile("docs/field-cases.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("`([^`]+)`")
	var all []fieldCase
	for _, row := range regexp.MustCompile(`(?m)^\| (FC-.*?) \| (.+?) \| (.+?) \| (.+?) \|$`).FindAllStringSubmatch(string(text), -1) {
		c := fieldCase{number: row[1], reports: strings.Split(row[3], ", ")}
		for _, name := range code.FindAllStringSubmatch(row[4], -1) {
			c.shown = append(c.shown, name[1])
		}
		if c.shown == nil {
			c.reason = row[4]
		}
		all = append(all, c)
	}
	if n := strings.Count(string(text), "\n| FC-"); n != len(all) || n == 0 {
		t.Fatalf("%d of %d rows can be read", len(all), n)
	}
	return all
}

// testPrefix is how the name of a test about this report begins.
func testPrefix(report string) string {
	return "TestFieldCase_" + strings.Trim(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(report, "_"), "_") + "_"
}

func TestEachFieldCaseHasATestOrAReason(t *testing.T) {
	tests := map[string]string{} // name to package
	declared := regexp.MustCompile(`(?m)^func (TestFieldCase\w*)\(t \*testing\.T\)`)
	goFiles(t, func(name string, text []byte) {
		for _, f := range declared.FindAllSubmatch(text, -1) {
			tests[string(f[1])] = path.Dir(name)
		}
	})
	told := map[string]string{} // tests and reports to their case
	tell := func(what, number string) {
		if other := told[what]; other != "" {
			t.Errorf("%s is a matter of %s and of %s", what, other, number)
		}
		told[what] = number
	}
	for i, c := range fieldCases(t) {
		if want := "FC-" + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10)); c.number != want {
			t.Errorf("%s stands where %s belongs", c.number, want)
		}
		for _, r := range c.reports {
			tell(r, c.number)
		}
		if c.shown == nil && !strings.HasPrefix(c.reason, "Cannot apply: ") {
			t.Errorf("%s has neither a test nor a reason: %s", c.number, c.reason)
		}
		for shown := range slices.Chunk(c.shown, 2) {
			if len(shown) < 2 || tests[shown[1]] != shown[0] {
				t.Errorf("%s: there is no test %q (a package, and a test in it)", c.number, shown)
				continue
			}
			tell(shown[1], c.number)
			if !slices.ContainsFunc(c.reports, func(report string) bool { return strings.HasPrefix(shown[1], testPrefix(report)) }) {
				t.Errorf("%s: %s is not named after one of the reports %q", c.number, shown[1], c.reports)
			}
		}
	}
	for test, dir := range tests {
		if told[test] == "" {
			t.Errorf("%s in %s has no row in docs/field-cases.md", test, dir)
		}
	}
}
