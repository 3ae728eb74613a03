package internal_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"strings"
	"testing"
)

// required says what the core module may require, and what for. Anything else
// needs a decision in internal/docs/adr first: every user of the module gets it.
var required = map[string]string{
	"golang.org/x/oauth2":           "the vocabulary: Token, Endpoint, TokenSource",
	"github.com/coreos/go-oidc/v3":  "discovery and ID tokens",
	"github.com/go-jose/go-jose/v4": "what go-oidc stands on: signatures of keys and tokens",
	"github.com/zalando/go-keyring": "the keychain of the system",
	"golang.org/x/crypto":           "argon2id",
	"golang.org/x/sys":              "sockets, file modes and owners",
	"github.com/gofrs/flock":        "file locks on every system",
}

func TestTheCoreModuleRequiresNothingElse(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", "../go.mod")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	var mod struct {
		Require []struct {
			Path     string `json:"Path"`
			Indirect bool   `json:"Indirect"` // needed by what is required: go mod tidy sees to that
		} `json:"Require"`
		Replace []any `json:"Replace"`
		Tool    []any `json:"Tool"`
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if required[r.Path] == "" && !r.Indirect {
			t.Errorf("go.mod requires %s, which is not in the table of this test", r.Path)
		}
	}
	if len(mod.Replace)+len(mod.Tool) > 0 {
		t.Error("go.mod has replace or tool lines: the first do nothing for users, the second enter their module graph")
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for dir, p := range packages(t) {
		documented := false
		for _, f := range p.files {
			documented = documented || f.Doc.Text() != ""
		}
		if !documented {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

func TestAFileFitsInOneReading(t *testing.T) {
	const most = 500
	goFiles(t, func(name string, text []byte) {
		if n := bytes.Count(text, []byte("\n")); n > most {
			t.Errorf("%s has %d lines, more than %d: does it still do one thing?", name, n, most)
		}
	})
}

// computed are the package-level variables whose value is fixed, although it
// takes a function to say it.
var computed = map[string]string{
	"internal/loopback.policy":      "a string, made from the hash of the embedded style",
	"client/clienttest.loginPage":   "a parsed template",
	"client/clienttest.messagePage": "a parsed template",
}

func TestNoPackageKeepsMutableState(t *testing.T) {
	for dir, p := range packages(t) {
		if p.name == "main" {
			continue // a program's own, its flags for one
		}
		for name, f := range p.files {
			for _, v := range mutable(f) {
				if computed[dir+"."+v] == "" {
					t.Errorf("%s: package-level variable %s: keep it in a Client, or list it in computed if nobody can change it", name, v)
				}
			}
		}
	}
}

// mutable returns the package-level variables of f that are more than names for
// fixed values: two Clients in one process must share nothing.
func mutable(f *ast.File) []string {
	var bad []string
	for _, decl := range f.Decls {
		vars, ok := decl.(*ast.GenDecl)
		if !ok || vars.Tok != token.VAR {
			continue
		}
		for _, s := range vars.Specs {
			spec := s.(*ast.ValueSpec)
			if embedded(vars.Doc) || embedded(spec.Doc) {
				continue
			}
			for i, name := range spec.Names {
				if name.Name != "_" && (i >= len(spec.Values) || !fixed(spec.Values[i])) {
					bad = append(bad, name.Name)
				}
			}
		}
	}
	return bad
}

func embedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// fixed tells whether nobody can mean to change value: a table with its rows, a
// function, an error, or what a Must function makes of constants.
func fixed(value ast.Expr) bool {
	switch value := value.(type) {
	case *ast.CompositeLit:
		return len(value.Elts) > 0
	case *ast.FuncLit:
		return true
	case *ast.SelectorExpr: // another name for something that has its own declaration
		return true
	case *ast.CallExpr:
		switch fun := value.Fun.(type) {
		case *ast.ArrayType: // []byte("constant")
			return true
		case *ast.SelectorExpr:
			pkg, _ := fun.X.(*ast.Ident)
			if pkg == nil {
				return false
			}
			called := pkg.Name + "." + fun.Sel.Name
			return called == "errors.New" || called == "fmt.Errorf" || strings.HasPrefix(fun.Sel.Name, "Must")
		}
	}
	return false
}

func TestMutableStateIsTold(t *testing.T) {
	for decl, bad := range map[string]bool{
		`var cache = map[string]int{}`:                   true,
		`var cache map[string]int`:                       true,
		`var mu sync.Mutex`:                              true,
		`var mu = &sync.Mutex{}`:                         true,
		`var debug = false`:                              true,
		`var client = http.DefaultClient.Clone()`:        true,
		`var keys = newKeys()`:                           true,
		`var ErrX, errY = errors.New("x"), new(int)`:     true,
		`var ErrX = errors.New("x")`:                     false,
		`var codes = map[int]string{1: "one"}`:           false,
		`var re = regexp.MustCompile("x")`:               false,
		`var page = template.Must(template.New("p"), n)`: false,
		`var _ Source = (*Account)(nil)`:                 false,
		"//go:embed page.html\nvar page string":          false,
		`const debug = false`:                            false,
		`func f() { var local int; _ = local }`:          false,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+decl+"\n", parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if found := mutable(f); (found != nil) != bad {
			t.Errorf("%s: found %v, want something: %v", decl, found, bad)
		}
	}
}
