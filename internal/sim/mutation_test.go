package sim

import (
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	rulesFlag  = flag.String("rules", ".", "which rules TestEachRuleIsNeeded switches off: a regular expression")
	searchFlag = flag.Int("search", 2000, "how many seeds TestEachRuleIsNeeded tries if the one in the table shows nothing")
)

// The simulator must see it when a rule is not kept. All rules are compiled into
// one program, in a copy of the real source, and switched off one at a time; the
// seed or the history in the table must show a violation then, and none while the
// rule is kept. The seed is the first that does, of those from 1 on. For a new rule:
//
//	go test ./internal/sim -run EachRule -rules NAME -search 30000 -v
func TestEachRuleIsNeeded(t *testing.T) {
	only := regexp.MustCompile(*rulesFlag)
	binary := compile(t, rules)
	for _, r := range rules {
		if !only.MatchString(r.name) {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			caught := ""
			switch {
			case r.history != "":
				caught = r.try(t, binary, "-test.run", "^TestEachHistory/^"+regexp.QuoteMeta(strings.ReplaceAll(r.history, " ", "_"))+"$")
			case r.seed != 0:
				if v := run(t, r.seed, false).violation; v != "" {
					t.Fatalf("seed %d: with the rule, too: %s", r.seed, v)
				}
				caught = r.seeds(t, binary, r.seed, 1)
			}
			if caught == "" && *searchFlag > 0 {
				caught = r.seeds(t, binary, 1, *searchFlag)
			}
			if caught == "" {
				t.Error("nothing shows that this rule is broken")
			}
			t.Log(caught)
		})
	}
}

// seeds runs seeds with the rule switched off, and returns the first violation.
func (r rule) seeds(t *testing.T, binary string, first uint64, n int) string {
	return r.try(t, binary, "-test.run", "^TestSeeds$", "-most", "1", "-first", strconv.FormatUint(first, 10), "-seeds", strconv.Itoa(n))
}

// try runs tests with the rule switched off, and returns the first violation.
// try runs seeds with the rule switched off, and returns the first violation.
func (r rule) try(t *testing.T, binary string, args ...string) string {
	cmd := exec.CommandContext(t.Context(), binary, append(args, "-test.v")...)
	cmd.Env = append(os.Environ(), ruleOff+"="+r.name)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		if _, found, ok := strings.Cut(line, ": seed "); ok {
			return "seed " + strings.TrimSpace(found)
		}
	}
	return strings.TrimSpace(string(out[:min(len(out), 2000)]))
}

// The table in internal/docs/proof/simulator.md is this one.
func TestTheNoteNamesEachRuleAndWhatShowsIt(t *testing.T) {
	note, err := os.ReadFile("../docs/proof/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		shown := strconv.FormatUint(r.seed, 10)
		if r.history != "" {
			shown = strings.Fields(r.history)[0] + " script"
		}
		if row := "| " + r.name + " | " + shown + " |"; !strings.Contains(string(note), row) {
			t.Errorf("simulator.md has no %s", row)
		}
	}
	if n := strconv.Itoa(len(rules)) + " rules"; !strings.Contains(string(note), n) {
		t.Errorf("simulator.md does not say that there are %s", n)
	}
}
