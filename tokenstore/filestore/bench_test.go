package filestore_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/regrant/regrant/tokenstore/filestore"
)

func BenchmarkLoad8KB(b *testing.B) {
	s := filestore.New(filepath.Join(b.TempDir(), "grants"))
	save(b, s, key("me"), strings.Repeat("x", 8<<10), "")
	for b.Loop() {
		if _, _, err := s.Load(b.Context(), key("me")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSave8KB(b *testing.B) {
	s := filestore.New(filepath.Join(b.TempDir(), "grants"))
	data := strings.Repeat("x", 8<<10)
	v := save(b, s, key("me"), data, "")
	for b.Loop() {
		v = save(b, s, key("me"), data, v)
	}
}
