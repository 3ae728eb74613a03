package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
)

// A Hydra is a running ory hydra (github.com/ory/hydra) with its pages for login
// and consent: it rotates refresh tokens, and ends a grant if one is used twice,
// unless there is a grace period. What it knows is in a database, so it can be
// restarted.
type Hydra struct {
	Issuer string
	server *server
	t      testing.TB
}

// StartHydra starts one of the test's own, over a PostgreSQL of its own. Its service
// is "hydra". knobs are environment variables of its start script, such as AT_TTL=2
// for access tokens of two seconds, or GRACE=30.
//
// The script's own choice is SQLite. There hydra refuses live tokens, and logins, with
// "database is locked" when many callers are at work on a busy machine.
func StartHydra(t testing.TB, knobs ...string) *Hydra {
	t.Helper()
	db := StartPostgreSQL(t)
	dsn := fmt.Sprintf("DSN=postgres://postgres@/postgres?host=%s&sslmode=disable", url.QueryEscape(filepath.Dir(db.Socket)))
	s := start(t, "hydra", 3, []string{"bash", "go", "gcc", "node", "curl", "jq"}, append(knobs, dsn))
	h := &Hydra{Issuer: s.vars["ISSUER"], server: s, t: t}
	h.makeKeys()
	return h
}

// makeKeys lets the server make its keys, which takes seconds, before a program
// waits for them.
func (h *Hydra) makeKeys() {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.Issuer+"/.well-known/jwks.json", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// Kill kills the server, and returns what starts it again over the same database.
func (h *Hydra) Kill() (again func()) { return h.server.kill(h.t) }

// Admin sends a request to the API of the administrator.
func (h *Hydra) Admin(method, path string, body any) {
	h.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.server.vars["ADMIN"]+path, bytes.NewReader(data))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		h.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}
