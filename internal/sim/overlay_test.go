package sim

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ruleOff is the environment variable that names the rule which is switched off.
const ruleOff = "REGRANT_SIM_RULE_OFF"

// compile compiles the tests of this package, with every rule in it twice: as it
// is kept, and as it is broken.
func compile(t *testing.T, rules []rule) (binary string) {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	inFile := map[string][]rule{}
	for _, r := range rules {
		inFile[r.file] = append(inFile[r.file], r)
	}
	replace := map[string]string{}
	put := func(file string, source []byte) {
		patched := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(patched, source, 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, filepath.FromSlash(file))] = patched
	}
	for _, file := range slices.Sorted(maps.Keys(inFile)) {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		patched, err := withRules(file, string(source), inFile[file])
		if err != nil {
			t.Fatal(err)
		}
		put(file, []byte(patched))
		added := path.Dir(file) + "/rule_off.go"
		if strings.HasSuffix(file, "_test.go") {
			added = path.Dir(file) + "/rule_off_test.go"
		}
		put(added, fmt.Appendf(nil, "package %s\n\nimport \"os\"\n\nvar ruleOff_ = os.Getenv(%q)\n", path.Base(path.Dir(file)), ruleOff))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "sim.test.exe")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// withRules returns source with each function that has a rule in it replaced by one
// that calls it as it is, or as it is with the rule broken.
func withRules(file, source string, rules []rule) (string, error) {
	broken := map[string][]string{} // by function: its text with a rule broken
	cases := map[string][]string{}  // and the names of the rules
	funcs, err := functions(file, source)
	if err != nil {
		return "", err
	}
	for _, r := range rules {
		if n := strings.Count(source, r.text); n != 1 {
			return "", fmt.Errorf("%s has the text of the rule %q %d times, want it once: the table is out of date", file, r.name, n)
		}
		at := strings.Index(source, r.text)
		i := slices.IndexFunc(funcs, func(f function) bool { return f.from <= at && at < f.to })
		patched, err := functions(file, strings.Replace(source, r.text, r.instead, 1))
		if err != nil || i < 0 || len(patched) != len(funcs) || patched[i].name != funcs[i].name {
			return "", fmt.Errorf("%s: the rule %q is not within one function: %v", file, r.name, err)
		}
		name := funcs[i].name
		broken[name] = append(broken[name], patched[i].text)
		cases[name] = append(cases[name], r.name)
	}
	for _, f := range slices.Backward(funcs) {
		if len(broken[f.name]) == 0 {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s {\n\tswitch ruleOff_ {\n", f.head)
		for i, name := range cases[f.name] {
			fmt.Fprintf(&b, "\tcase %q:\n\t\t%s\n", name, f.call(i+1))
		}
		fmt.Fprintf(&b, "\tdefault:\n\t\t%s\n\t}\n}\n\n%s\n", f.call(0), f.renamed(f.text, 0))
		for i, text := range broken[f.name] {
			fmt.Fprintf(&b, "\n%s\n", f.renamed(text, i+1))
		}
		source = source[:f.from] + b.String() + source[f.to:]
	}
	return source, nil
}

// A function is a function of a file.
type function struct {
	from, to  int
	name      string // with its receiver
	text      string
	head      string // up to the body
	short     string // without the receiver
	nameAt    int    // in the text
	call      func(variant int) string
	hasResult bool
}

func functions(file, source string) ([]function, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []function
	offset := func(p token.Pos) int { return fset.Position(p).Offset }
	for _, d := range tree.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		f := function{from: offset(decl.Pos()), to: offset(decl.End()), short: decl.Name.Name, hasResult: decl.Type.Results != nil}
		f.text = source[f.from:f.to]
		f.head = strings.TrimSpace(source[f.from:offset(decl.Body.Pos())])
		f.nameAt = offset(decl.Name.Pos()) - f.from
		f.name = f.text[:f.nameAt] + f.short
		receiver := ""
		if decl.Recv != nil && len(decl.Recv.List[0].Names) == 1 {
			receiver = decl.Recv.List[0].Names[0].Name + "."
		}
		var args []string
		for _, p := range decl.Type.Params.List {
			for _, name := range p.Names {
				args = append(args, name.Name)
			}
		}
		f.call = func(variant int) string {
			call := fmt.Sprintf("%s%s_%d(%s)", receiver, f.short, variant, strings.Join(args, ", "))
			if f.hasResult {
				return "return " + call
			}
			return call
		}
		all = append(all, f)
	}
	return all, nil
}

func (f function) renamed(text string, variant int) string {
	end := f.nameAt + len(f.short)
	return fmt.Sprintf("%s_%d%s", text[:end], variant, text[end:])
}
