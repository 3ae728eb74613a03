package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A source is one package of the repository as it is written: all its files but
// tests, for every system and build tag, whichever module it belongs to.
type source struct {
	name  string
	files map[string]*ast.File
}

func (s source) imports() []string {
	paths := map[string]bool{}
	for _, f := range s.files {
		for _, i := range f.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			paths[p] = true
		}
	}
	return slices.Sorted(maps.Keys(paths))
}

// goFiles calls do for every Go file of the repository, with its slash-separated
// path from the root.
func goFiles(t *testing.T, do func(name string, text []byte)) {
	t.Helper()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		base := path.Base(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err == nil {
			do(name, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// packages reads every package of the repository, by its directory.
func packages(t *testing.T) map[string]source {
	t.Helper()
	all := map[string]source{}
	goFiles(t, func(name string, text []byte) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		dir := path.Dir(name)
		if all[dir].files == nil {
			all[dir] = source{f.Name.Name, map[string]*ast.File{}}
		}
		all[dir].files[name] = f
	})
	if len(all) < 10 {
		t.Fatalf("found only %d packages: this test must run in internal/ of the repository", len(all))
	}
	return all
}
