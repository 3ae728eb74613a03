package webapp_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regrant/regrant/client/clienttest"
	"github.com/regrant/regrant/internal/integration/lab"
)

// Two processes share a database, a key and an authorization server, as the
// machines behind a load balancer do.
func TestAnyMachineGoesOnWhereAnotherBegan(t *testing.T) {
	t.Parallel()
	program := build(t)
	for name, database := range map[string]func(*testing.T) string{
		"postgresql": func(t *testing.T) string {
			return "DATABASE_URL=host=" + filepath.Dir(lab.StartPostgreSQL(t).Socket) + " user=postgres dbname=postgres"
		},
		"redis": func(t *testing.T) string { return "REDIS_URL=unix://" + lab.StartRedis(t).Socket },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			as := clienttest.NewServer(t)
			env := []string{database(t), "REGRANT_WEB_CLIENT_SECRET=" + clienttest.ConfidentialSecret}
			args := []string{
				"-store", name, "-data", t.TempDir(), "-issuer", as.Issuer(), "-client-id", clienttest.ConfidentialClient, "-api", as.URL(clienttest.APIPath), "-after-logout",
			}
			one, other := startWith(t, env, program, args...), startWith(t, env, program, args...)
			alice := as.UserAgent("alice") // cookies do not know ports
			page := func(method, url string) string {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := alice.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: %s, %v\n%s", url, resp.Status, err, text)
				}
				return string(text)
			}
			wants := func(text, words string) {
				t.Helper()
				if !strings.Contains(text, words) {
					t.Errorf("the page does not say %q:\n%s", words, text)
				}
			}
			wants(page("POST", one.URL+"/signin"), "You are signed in.")
			wants(page("POST", other.URL+"/connections/account/connect"), "Account is connected.")
			wants(page("GET", one.URL), "All 2 work.")
			wants(page("POST", other.URL+"/signout"), "You are signed out")
			wants(page("GET", one.URL), "Sign in with")
		})
	}
}
