package sim

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	rulesFlag  = flag.String("rules", "", "which rules TestEachRuleIsNeeded switches off: a regular expression")
	searchFlag = flag.Int("search", 2000, "how many seeds TestEachRuleIsNeeded tries if the one in the table shows nothing")
)

// The simulator must see it when a rule is not kept. Each rule is switched off in
// a copy of the real source, and the seed in the table must show a violation.
// The seed is the first that does, of those from 1 on. For a new rule:
//
//	go test ./internal/sim -run EachRule -rules NAME -search 30000 -v
func TestEachRuleIsNeeded(t *testing.T) {
	if *rulesFlag == "" {
		t.Skip("it compiles the package once for each rule: say which, as -rules . does for all")
	}
	only := regexp.MustCompile(*rulesFlag)
	for _, r := range rules {
		if !only.MatchString(r.name) {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			if v := run(t, r.seed, false).violation; v != "" {
				t.Fatalf("seed %d: with the rule, too: %s", r.seed, v)
			}
			bin := r.build(t)
			caught := ""
			if r.seed != 0 {
				caught = r.try(t, bin, r.seed, 1)
			}
			if caught == "" && *searchFlag > 0 {
				caught = r.try(t, bin, 1, *searchFlag)
			}
			if caught == "" {
				t.Error("nothing shows that this rule is broken")
			}
			t.Log(caught)
		})
	}
}

// build compiles the tests of this package with the rule switched off.
func (r rule) build(t *testing.T) (binary string) {
	dir := t.TempDir()
	name, err := filepath.Abs(filepath.Join("../..", filepath.FromSlash(r.file)))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), r.text); n != 1 {
		t.Fatalf("%s has the text of this rule %d times, want it once: the table is out of date", r.file, n)
	}
	patched := filepath.Join(dir, "patched.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{name: patched}})
	if err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{
		patched:                            []byte(strings.Replace(string(source), r.text, r.instead, 1)),
		filepath.Join(dir, "overlay.json"): overlay,
	} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary = filepath.Join(dir, "sim.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// try runs seeds with the rule switched off, and returns the first violation.
func (r rule) try(t *testing.T, binary string, first uint64, n int) string {
	cmd := exec.CommandContext(t.Context(), binary, "-test.run", "^TestSeeds$", "-test.v",
		"-most", "1", "-first", strconv.FormatUint(first, 10), "-seeds", strconv.Itoa(n))
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
