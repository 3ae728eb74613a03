// Package internal_test holds the rules of the house: who may import whom, what
// the core module may require, and what every package owes its reader.
package internal_test

import (
	"slices"
	"strings"
	"testing"
)

// module is the path before every package of this repository. The tables below
// leave it out.
const module = "github.com/regrant/regrant"

type layer struct {
	in  string
	may []string
	why string
}

// layers says what each package may import of this module. The first row that
// names a package is its row; "x/..." is x and everything below it.
var layers = []layer{
	{"client/clienttest", []string{"client", "client/provider", "tokenstore", "tokenstore/memstore", "internal/..."},
		"it is for tests of programs, so it knows what a program knows, and keeps grants in memory"},
	{"client/provider", nil,
		"what providers do is data: a leaf that any program can read"},
	{"client", []string{"tokenstore", "transport", "client/provider", "internal/..."},
		"client alone knows both leaves, and no store in particular: the program chooses one"},
	{"tokenstore", []string{"internal/..."},
		"a leaf: a store is written against it without a client or a transport"},
	{"tokenstore/keyringstore", []string{"tokenstore", "tokenstore/filestore"},
		"it is a key in the keychain and a filestore: what lies on the disk, and how, is the filestore's alone"},
	{"tokenstore/...", []string{"tokenstore", "internal/seal", "internal/atomicfile", "internal/filelock"},
		"a store needs nothing but the contract and the disk, so that anybody can write one elsewhere"},
	{"transport", []string{"internal/..."},
		"a leaf: it sends tokens from any Source, also without a client or a store"},
	{"examples/...", []string{"client/...", "tokenstore/...", "transport", "examples/..."},
		"what a reader cannot import is no example; a large one has packages of its own"},
	{"internal/sim/...", []string{"client/...", "tokenstore/...", "transport", "internal/..."},
		"the simulation uses the module; it is not a mechanism"},
	{"internal/integration/...", []string{"client/...", "tokenstore/...", "transport", "internal/..."},
		"the integration tests use the module; they are not a mechanism"},
	{"internal/bench/...", []string{"client/...", "tokenstore/...", "transport", "internal/..."},
		"the benchmarks use the module; they are not a mechanism"},
	{"internal/...", []string{"internal/..."},
		"a mechanism does, and never decides, keeps or sends: it does not know the packages above it"},
}

// reserved names packages that only some may import outside of tests.
var reserved = []struct {
	what string
	by   []string
	why  string
}{
	{"internal/record", []string{"client", "internal/sim/...", "internal/integration/..."},
		"the format of a record is client's own, so that a new field never breaks a store; proofs look at it"},
	{"internal/sim/...", []string{"internal/sim/..."}, "nothing is built on the simulation"},
	{"internal/integration/...", []string{"internal/integration/...", "internal/bench/..."},
		"nothing is built on the integration tests, but for benchmarks that need the same databases and processes"},
	{"internal/bench/...", []string{"internal/bench/..."}, "nothing is built on the benchmarks"},
	{"internal/canary", nil, "what looks for a planted secret is for tests alone"},
	{"internal/terminal", nil, "a terminal with a program in it is for tests alone"},
	{"client/clienttest", []string{"examples/...", "internal/sim/...", "internal/integration/...", "internal/bench/..."},
		"a fake server has no place in a program"},
	{"tokenstore/tokenstoretest", []string{"examples/...", "internal/integration/..."},
		"a test kit has no place in a program"},
	{"testing/...", []string{"client/clienttest", "tokenstore/tokenstoretest", "internal/sim/...", "internal/terminal", "internal/integration/...", "internal/bench/..."},
		"importing testing adds its flags to every binary"},
	{"math/rand", nil, "crypto/rand makes secrets, math/rand/v2 makes jitter; nothing is seeded"},
	{"unsafe", nil, "the type system is part of what keeps a secret in"},
}

// violations tells which rules pkg breaks by its imports. pkg is without the
// path of the module, imports are as in the source.
func violations(pkg string, imports []string) []string {
	row := slices.IndexFunc(layers, func(l layer) bool { return within(pkg, l.in) })
	if row < 0 {
		return []string{pkg + " has no row in layers: say what it may import"}
	}
	var bad []string
	for _, path := range imports {
		name, ours := strings.CutPrefix(path, module+"/")
		if ours && !withinAny(name, layers[row].may) {
			bad = append(bad, pkg+" must not import "+name+": "+layers[row].why)
		}
		for _, r := range reserved {
			if within(name, r.what) && !withinAny(pkg, r.by) {
				bad = append(bad, pkg+" must not import "+name+": "+r.why)
			}
		}
	}
	return bad
}

func within(path, pattern string) bool {
	tree, all := strings.CutSuffix(pattern, "/...")
	return path == tree || all && strings.HasPrefix(path, tree+"/")
}

func withinAny(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return within(path, p) })
}

func TestEveryPackageImportsOnlyWhatItsLayerMay(t *testing.T) {
	for dir, p := range packages(t) {
		for _, v := range violations(dir, p.imports()) {
			t.Error(v)
		}
	}
}

// TestEveryImportRuleCanFail breaks each row once, so that a row which matches
// nothing any more is seen.
func TestEveryImportRuleCanFail(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range []struct{ pkg, imports string }{
		{"client/clienttest", module + "/transport"},
		{"client/provider", module + "/client"},
		{"client", module + "/tokenstore/filestore"},
		{"tokenstore", module + "/transport"},
		{"tokenstore/keyringstore", module + "/internal/atomicfile"},
		{"tokenstore/sqlstore", module + "/internal/flight"},
		{"tokenstore/redisstore", module + "/client"},
		{"transport", module + "/tokenstore"},
		{"examples/quickstart", module + "/internal/memhttp"},
		{"internal/sim", module + "/examples/quickstart"},
		{"internal/integration/postgres", module + "/examples/quickstart"},
		{"internal/bench", module + "/examples/quickstart"},
		{"internal/tokenendpoint", module + "/client"},
		{"tokenstore", module + "/internal/record"},
		{"client", module + "/internal/sim"},
		{"client", module + "/internal/integration/servers"},
		{"transport", module + "/internal/bench"},
		{"transport", module + "/internal/canary"},
		{"examples/cli", module + "/internal/terminal"},
		{"tokenstore/memstore", module + "/client/clienttest"},
		{"tokenstore/memstore", module + "/tokenstore/tokenstoretest"},
		{"transport", "testing/synctest"},
		{"client", "math/rand"},
		{"internal/seal", "unsafe"},
		{"surprise", "fmt"},
	} {
		found := violations(c.pkg, []string{c.imports})
		if len(found) == 0 {
			t.Errorf("%s may import %s, and should not", c.pkg, c.imports)
		}
		for _, v := range found {
			_, why, _ := strings.Cut(v, ": ")
			seen[why] = true
		}
	}
	for _, l := range layers {
		if !seen[l.why] {
			t.Errorf("nothing here breaks the row of %s in layers", l.in)
		}
	}
	for _, r := range reserved {
		if !seen[r.why] {
			t.Errorf("nothing here breaks the row of %s in reserved", r.what)
		}
	}
}

func TestTheRulesLetGoodPackagesPass(t *testing.T) {
	for pkg, imports := range map[string][]string{
		"client":                {"crypto/rand", "golang.org/x/oauth2", module + "/transport", module + "/internal/record"},
		"tokenstore/filestore":  {"math/rand/v2", module + "/tokenstore", module + "/internal/atomicfile"},
		"client/clienttest":     {"testing", module + "/client", module + "/internal/memhttp"},
		"examples/quickstart":   {module + "/client/clienttest", module + "/tokenstore/filestore"},
		"internal/integration":  {"testing", module + "/client", module + "/internal/memhttp"},
		"internal/bench":        {"testing", module + "/internal/integration/lab"},
		"internal/atomicfile/x": {module + "/internal/filelock"},
	} {
		if found := violations(pkg, imports); found != nil {
			t.Errorf("%s: %v", pkg, found)
		}
	}
}
