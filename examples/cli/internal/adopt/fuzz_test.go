package adopt_test

import (
	"strings"
	"testing"
	"time"

	"github.com/regrant/regrant/examples/cli/internal/adopt"
)

// FuzzFile: whatever a file has, it is a grant with something in it, or an error that
// repeats nothing of the file.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"a","refresh_token":"r","expiry":"2026-01-02T03:04:05Z"}`,
		`{"access_token":"a","expires_in":"3600","id_token":"e30.eyJpc3MiOiJpIiwiYXVkIjpbImEiXX0.x"}`,
		`{"refresh_token":"r","id_token":"e30.eyJhdWQiOjF9.x"}`, `{"error":"invalid_grant"}`, `{"expires_in":1e400}`, `[]`, "hunter2-hunter2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		g, err := adopt.File("file", []byte(data), time.Unix(0, 0))
		switch {
		case err == nil && (g.Token == nil || g.Token.AccessToken == "" && g.Token.RefreshToken == ""):
			t.Error("a grant with nothing in it")
		case err != nil && len(data) > 12 && strings.Contains(err.Error(), data):
			t.Errorf("the error repeats the file: %v", err)
		}
	})
}

// FuzzGH is the same of hosts.yml.
func FuzzGH(f *testing.F) {
	for _, seed := range []string{
		"github.com:\n    user: a\n    oauth_token: t\n", "h:\n    users:\n        a:\n            oauth_token: t\n        b:\n",
		"h:\n    users:\n        a:\n            refreshable_oauth_token:\n                access_token: a\n                refresh_token: r\n                expires_at: 2026-01-02T03:04:05Z\n",
		"a: &a [*a]", "hunter2-hunter2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		grants, _, err := adopt.GH("file", []byte(data))
		for _, g := range grants {
			if g.Token == nil || g.Token.AccessToken == "" && g.Token.RefreshToken == "" {
				t.Error("a grant with nothing in it")
			}
		}
		if err != nil && len(data) > 12 && strings.Contains(err.Error(), data) {
			t.Errorf("the error repeats the file: %v", err)
		}
	})
}
